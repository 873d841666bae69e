#include "runtime/cli/manifest_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace kaspar::cli {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

const std::string& value_of(std::string_view name, const TemplateValues& values) {
  const auto found = values.find(name);
  if (found == values.end()) {
    throw std::logic_error(fmt::format("a manifest's template wants `{}`", name));
  }
  return found->second;
}

/// The line, with its end, of a place alone on it.
void append_block(std::string& out, std::string_view indent, std::string_view value) {
  while (!value.empty()) {
    const std::size_t end = std::min(value.find('\n'), value.size());
    if (end != 0) out += indent;
    out.append(value.substr(0, end)) += '\n';
    value.remove_prefix(std::min(end + 1, value.size()));
  }
}

void append_line(std::string& out, std::string_view line, const TemplateValues& values) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  const std::string_view body = line.substr(indent);
  if (body.size() > 2 && body.front() == '@' && body.back() == '@' &&
      is_name(body.substr(1, body.size() - 2))) {
    return append_block(out, line.substr(0, indent),
                        value_of(body.substr(1, body.size() - 2), values));
  }
  while (!line.empty()) {
    const std::size_t begin = std::min(line.find('@'), line.size());
    out.append(line.substr(0, begin));
    line.remove_prefix(begin);
    if (line.empty()) break;
    const std::size_t end = line.find('@', 1);
    if (end != std::string_view::npos && is_name(line.substr(1, end - 1))) {
      out += value_of(line.substr(1, end - 1), values);
      line.remove_prefix(end + 1);
    } else {
      out += '@';
      line.remove_prefix(1);
    }
  }
  out += '\n';
}

}  // namespace

std::string fill_template(std::string_view text, const TemplateValues& values) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    append_line(out, text.substr(0, end), values);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace kaspar::cli
