// The named, typed columns that a record has at one point of a pipeline.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/type.hpp"

namespace kaspar {

struct Column {
  std::string name;
  Type type;
  /// Where input takes it from (`from "name"`, a JSON path); empty: by position.
  std::string origin;

  friend bool operator==(const Column&, const Column&) = default;
};

/// Columns in order. A model's result `y` is the columns `y.out`, `y.index`, `y.score`, `y.label`.
struct Schema {
  std::string name;
  std::vector<Column> columns;

  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const noexcept {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].name == column) return i;
    }
    return std::nullopt;
  }
  /// Fields of a CSV row: a vector counts its width.
  [[nodiscard]] std::size_t field_count() const noexcept {
    std::size_t count = 0;
    for (const Column& column : columns) count += column.type.elements();
    return count;
  }
};

}  // namespace kaspar
