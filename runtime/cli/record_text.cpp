#include "runtime/cli/record_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <iterator>

#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

void append_escaped(std::string& line, std::string_view text) {
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\n') {
      line += "\\n";
    } else if (byte == '\r') {
      line += "\\r";
    } else if (byte == '\t') {
      line += "\\t";
    } else if (code < 0x20 || code == 0x7f) {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", code);
    } else {
      line += byte;
    }
  }
}

void append_json(std::string& out, const std::optional<std::string_view>& text) {
  if (!text) {
    out += "null";
    return;
  }
  std::string readable;
  append_bytes(readable, *text);
  append_json_string(out, readable);
}

}  // namespace

std::string record_line(const PrintedRecord& record) {
  std::string line = "topic = ";
  append_escaped(line, record.topic);
  line += " key = ";
  append_escaped(line, record.key.value_or("null"));
  line += " value = ";
  append_escaped(line, record.value.value_or("null"));
  return line;
}

std::string record_json(const PrintedRecord& record) {
  std::string line = "{\"topic\":";
  append_json(line, record.topic);
  line += ",\"key\":";
  append_json(line, record.key);
  line += ",\"value\":";
  append_json(line, record.value);
  line += '}';
  return line;
}

std::string clock_key(std::int64_t start, std::uint64_t row) {
  const auto now = static_cast<std::time_t>(start + static_cast<std::int64_t>(row));
  return fmt::format("{:%d-%m-%Y %H:%M:%S}", fmt::gmtime(now));
}

}  // namespace kaspar::cli
