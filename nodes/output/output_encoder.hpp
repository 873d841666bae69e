// Writes the values of a row as the value, key or header of a record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/batch.hpp"

namespace kaspar::nodes::output {

/// A value of one row, whatever it came from. Vectors have `elements` > 1 or `vector` set.
struct Cell {
  Type type;
  const void* data = nullptr;  // element 0; of the C++ type that ColumnBuffer tells
  bool null = false;
};

/// What a cell read from a literal or a meta field points into. Must outlive the cell.
struct CellStorage {
  std::string_view text;
  std::int64_t integer = 0;
  double number = 0;
  float single = 0;
  bool flag = false;
  std::vector<Header> headers;  // scratch
};

[[nodiscard]] Cell read_cell(const Batch& batch, Row row, const Expression& expression,
                             CellStorage& storage);

enum class Encoding : std::uint8_t { Ok, NotFinite };

/// A scalar as plain text (`text`, keys and headers), a vector as its elements joined by commas.
/// The cell is not null.
[[nodiscard]] Encoding append_text(std::string& out, const Cell& cell);
[[nodiscard]] Encoding append_json(std::string& out, const Cell& cell);
/// A vector spreads over as many fields as it is wide.
[[nodiscard]] Encoding append_csv(std::string& out, const Cell& cell);

}  // namespace kaspar::nodes::output
