// Fields of a row as values of a column, and what is said of those that are none.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>

#include "nodes/csv/csv_scan.hpp"
#include "nodes/csv/csv_value.hpp"
#include "runtime/core/batch.hpp"

namespace kaspar::nodes::csv {

/// Where a field stands: its place in the row from 0, its column and element.
struct FieldPlace {
  std::size_t field = 0;
  std::string_view column;
  const Type& type;
  std::size_t element = 0;
};

/// K0905 at the field.
void fail_null(Batch& batch, Row row, const FieldPlace& place);
/// K0902 at the field.
void fail_value(Batch& batch, Row row, const FieldPlace& place, ValueError error,
                std::string_view text);
/// K0903: how the row's quotes are broken.
void fail_layout(Batch& batch, Row row, const Scan& found);

/// Whether the field counts as null for this type.
[[nodiscard]] bool is_null(const Field& field, const Type& type) noexcept;

/// Reads one element of a column.
[[nodiscard]] ValueError read_element(std::string_view text, ScalarType type,
                                      std::byte* element) noexcept;

/// Reads the fields of one column: `field(i)` is that of its element i, asked for in order, and
/// `place(i)` its place in the row, from 0. False: the row has failed.
template <class Place, class FieldOf>
bool read_column(Batch& batch, Row row, const ColumnBuffer& column, std::string_view name,
                 Place&& place_of, FieldOf&& field_of) {
  const Type& type = column.type;
  const std::size_t elements = type.elements();
  const std::size_t size = element_size(type.scalar);
  std::byte* element = column.data + std::size_t{row} * elements * size;
  std::size_t nulls = 0;
  std::size_t first_null = 0;
  for (std::size_t i = 0; i < elements; ++i, element += size) {
    const Field field = field_of(i);
    const FieldPlace place{place_of(i), name, type, i};
    if (is_null(field, type)) {
      if (!type.optional) return fail_null(batch, row, place), false;
      if (nulls++ == 0) first_null = i;
      std::memset(element, 0, size);
      continue;
    }
    const ValueError error = read_element(field.text, type.scalar, element);
    if (error != ValueError::None) {
      return fail_value(batch, row, place, error, field.text), false;
    }
  }
  if (column.valid != nullptr) {
    if (nulls != 0 && nulls != elements) {
      fail_null(batch, row, {place_of(first_null), name, type, first_null});
      return false;
    }
    column.valid[row] = nulls == 0 ? 1 : 0;
  }
  return true;
}

}  // namespace kaspar::nodes::csv
