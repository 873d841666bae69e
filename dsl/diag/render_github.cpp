#include <fmt/format.h>

#include <iterator>

#include "dsl/diag/finding.hpp"

namespace kaspar::dsl {
namespace {

/// As GitHub's runner decodes it; in a property, commas and colons are escaped too.
void append_escaped(std::string& out, std::string_view text, bool property) {
  for (const char c : text) {
    if (c == '%') {
      out += "%25";
    } else if (c == '\r') {
      out += "%0D";
    } else if (c == '\n') {
      out += "%0A";
    } else if (property && c == ':') {
      out += "%3A";
    } else if (property && c == ',') {
      out += "%2C";
    } else {
      out += c;
    }
  }
}

}  // namespace

std::string render_github(std::span<const Finding> findings) {
  std::string out;
  for (const Finding& finding : findings) {
    const Region& region = finding.place.region;
    out += finding.error ? "::error file=" : "::warning file=";
    append_escaped(out, finding.place.file, true);
    fmt::format_to(std::back_inserter(out), ",line={},col={}", region.line, region.column);
    if (region.end_line != 0) {
      fmt::format_to(std::back_inserter(out), ",endLine={},endColumn={}", region.end_line,
                     region.end_column);
    }
    out += ",title=";
    append_escaped(out, finding.rule, true);
    out += "::";
    append_escaped(out, finding.message, false);
    out += '\n';
  }
  return out;
}

}  // namespace kaspar::dsl
