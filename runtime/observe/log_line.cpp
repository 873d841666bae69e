#include "runtime/observe/log_line.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "runtime/observe/escaped_text.hpp"

namespace kaspar::observe {
namespace {

std::string_view level_name(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "debug";
    case LogLevel::Info:
      return "info";
    case LogLevel::Warning:
      return "warning";
    case LogLevel::Error:
      return "error";
  }
  return "error";
}

std::string_view colour_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return "\x1b[2m";
    case LogLevel::Info:
      return "\x1b[32m";
    case LogLevel::Warning:
      return "\x1b[33m";
    case LogLevel::Error:
      return "\x1b[31m";
  }
  return "";
}

}  // namespace

std::string json_line(LogTime time, LogLevel level, std::string_view event,
                      std::string_view pipeline, std::string_view message,
                      std::span<const LogField> fields) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  std::string out = fmt::format(R"({{"time":"{:%Y-%m-%dT%H:%M:%S}.{:03}Z","level":"{}","event":)",
                                fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                                (time - seconds).count(), level_name(level));
  append_json_text(out, event);
  if (!pipeline.empty()) {
    out += R"(,"pipeline":)";
    append_json_text(out, pipeline);
  }
  out += R"(,"message":)";
  append_json_text(out, message);
  for (const LogField& field : fields) {
    out += ',';
    append_json_text(out, field.name);
    out += ':';
    append_json_text(out, field.value);
  }
  out += '}';
  return out;
}

std::string human_line(LogTime time, LogLevel level, std::string_view event,
                       std::string_view message, std::span<const LogField> fields, bool coloured) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(time);
  std::string out = fmt::format("{:%H:%M:%S}.{:03} {}{:<7}{} ",
                                fmt::localtime(std::chrono::system_clock::to_time_t(seconds)),
                                (time - seconds).count(), coloured ? colour_of(level) : "",
                                level_name(level), coloured ? "\x1b[0m" : "");
  append_escaped(out, message.empty() ? event : message, false);
  std::string_view separator = " (";
  for (const LogField& field : fields) {
    out += separator;
    append_escaped(out, field.name, false);
    out += '=';
    append_escaped(out, field.value, false);
    separator = ", ";
  }
  if (fields.begin() != fields.end()) out += ')';
  return out;
}

}  // namespace kaspar::observe
