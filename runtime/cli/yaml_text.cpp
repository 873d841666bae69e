#include "runtime/cli/yaml_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

/// Whether a block keeps the text: printable ASCII in lines, none of which leads with blanks before
/// the first text or is made of blanks alone, and one end of line at the end.
bool fits_block(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.front() == '\n' ||
      text.find("\n\n\n") != text.npos)
    return false;
  if (!text.ends_with('\n') || text.ends_with("\n\n")) return false;
  return std::ranges::all_of(text, [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); });
}

}  // namespace

std::string yaml_quoted(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

std::string yaml_text_member(std::string_view key, std::string_view text, std::size_t indent) {
  const std::string margin(indent, ' ');
  if (!fits_block(text))
    return fmt::format("{}{}: {}\n", margin, yaml_quoted(key), yaml_quoted(text));
  std::string out = fmt::format("{}{}: |\n", margin, yaml_quoted(key));
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (end != 0) out.append(margin).append("  ").append(text.substr(0, end));
    out += '\n';
    text.remove_prefix(end + 1);
  }
  return out;
}

}  // namespace kaspar::cli
