#include "runtime/cli/labelled_row.hpp"

#include <cstddef>

namespace kaspar::cli {
namespace {

std::string unquoted(std::string_view field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return std::string{field};
  field = field.substr(1, field.size() - 2);
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    text += field[i];
    if (field[i] == '"' && i + 1 < field.size() && field[i + 1] == '"') ++i;
  }
  return text;
}

}  // namespace

std::optional<LabelledRow> split_label(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  bool quoted = false;
  std::size_t comma = std::string_view::npos;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"') quoted = !quoted;
    if (line[i] == ',' && !quoted) comma = i;
  }
  if (quoted) comma = line.rfind(',');
  if (comma == std::string_view::npos || comma + 1 == line.size()) return std::nullopt;
  return LabelledRow{.record = line.substr(0, comma), .label = unquoted(line.substr(comma + 1))};
}

}  // namespace kaspar::cli
