#include "nodes/expression/data_movement.hpp"

#include <fmt/format.h>

#include <cstring>

#include "nodes/expression/kernel_loops.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::expression {
namespace {

void copy_validity(const Instruction& instruction, Frame& frame) {
  std::uint8_t* const out = frame.valid(instruction.out);
  if (out == nullptr) return;
  const std::uint8_t* const a = frame.valid(instruction.a);
  if (a == nullptr) return set_valid(instruction, frame);
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = a[row]; });
}

template <class T>
void copy(const Instruction& instruction, Frame& frame) {
  T* const out = frame.values<T>(instruction.out);
  const T* const a = frame.values<T>(instruction.a);
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = a[row]; });
  copy_validity(instruction, frame);
}

template <class T>
void coalesce(const Instruction& instruction, Frame& frame) {
  T* const out = frame.values<T>(instruction.out);
  const T* const a = frame.values<T>(instruction.a);
  std::uint8_t* const out_valid = frame.valid(instruction.out);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  Selection& nulls = frame.selections[instruction.chosen];
  nulls.count = 0;
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    if (valid != nullptr && valid[row] == 0) {
      nulls.rows[nulls.count++] = static_cast<Row>(row);
      return;
    }
    out[row] = a[row];
    if (out_valid != nullptr) out_valid[row] = 1;
  });
  nulls.dense = false;
  nulls.failures = frame.failures;
}

/// `vector(row)` points to the first element.
template <class T, class Vector>
void read_elements(const Instruction& instruction, Frame& frame, Vector vector) {
  T* const out = frame.values<T>(instruction.out);
  const auto* const index = frame.values<std::int64_t>(instruction.b);
  const std::uint64_t width = instruction.a.type.width;
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    const auto at = static_cast<std::uint64_t>(index[row]);  // a negative one is large
    if (at >= width) [[unlikely]] {
      frame.fail(row, DiagnosticCode::K0906,
                 fmt::format("index {} is outside a vector of {}", index[row], width));
      return;
    }
    out[row] = vector(row)[at];
  });
}

template <class T>
void element(const Instruction& instruction, Frame& frame) {
  const T* const* const a = frame.values<const T*>(instruction.a);
  read_elements<T>(instruction, frame, [=](std::size_t row) { return a[row]; });
}

template <class T>
void column_element(const Instruction& instruction, Frame& frame) {
  const T* const a = frame.values<T>(instruction.a);
  const std::size_t width = instruction.a.type.width;
  read_elements<T>(instruction, frame, [=](std::size_t row) { return a + row * width; });
}

void widen_vectors(const Instruction& instruction, Frame& frame) {
  auto& room = frame.elements[instruction.b.index];
  const std::size_t width = instruction.a.type.width;
  const Selection& rows = frame.rows(instruction);
  if (room.size() < rows.count * width) room.resize(rows.count * width);
  const double** const out = frame.values<const double*>(instruction.out);
  const float* const* const a = frame.values<const float*>(instruction.a);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  double* next = room.data();
  for_each_row(rows, [&](std::size_t row) {
    out[row] = next;
    if (valid != nullptr && valid[row] == 0) return;
    for (std::size_t i = 0; i < width; ++i) next[i] = a[row][i];
    next += width;
  });
  copy_validity(instruction, frame);
}

void widen(const Instruction& instruction, Frame& frame) {
  double* const out = frame.values<double>(instruction.out);
  const float* const a = frame.values<float>(instruction.a);
  for_each_row(frame.rows(instruction),
               [=](std::size_t row) { out[row] = static_cast<double>(a[row]); });
  copy_validity(instruction, frame);
}

void bytes_to_string(const Instruction& instruction, Frame& frame) {
  auto* const out = frame.values<std::string_view>(instruction.out);
  const auto* const a = frame.values<std::string_view>(instruction.a);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    if (valid != nullptr && valid[row] == 0) {
      out[row] = {};
    } else if (is_utf8(a[row])) {
      out[row] = a[row];
    } else {
      frame.fail(row, DiagnosticCode::K0902,
                 fmt::format("bytes that are wanted as text are not UTF-8: {}", excerpt(a[row])));
    }
  });
  copy_validity(instruction, frame);
}

template <bool wanted>
void choose(const Instruction& instruction, Frame& frame) {
  const bool* const a = frame.values<bool>(instruction.a);
  Selection& chosen = frame.selections[instruction.chosen];
  std::size_t count = 0;
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    chosen.rows[count] = static_cast<Row>(row);
    count += a[row] == wanted ? 1U : 0U;
  });
  chosen.dense = frame.rows(instruction).dense && count == frame.rows(instruction).count;
  chosen.count = count;
  chosen.failures = frame.failures;
}

}  // namespace

Kernel copy_kernel(const Type& type) {
  if (type.is_vector()) return copy<const void*>;
  switch (type.scalar) {
    case ScalarType::Bool:
      return copy<bool>;
    case ScalarType::F32:
      return copy<float>;
    case ScalarType::F64:
      return copy<double>;
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return copy<std::int64_t>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return copy<std::string_view>;
  }
  return nullptr;
}

void store_vector(const Instruction& instruction, Frame& frame) {
  const std::size_t size = element_size(instruction.a.type.scalar) * instruction.a.type.width;
  std::byte* const out = frame.values<std::byte>(instruction.out);
  const std::byte* const* const a = frame.values<const std::byte*>(instruction.a);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    if (valid == nullptr || valid[row] != 0) std::memcpy(out + row * size, a[row], size);
  });
  copy_validity(instruction, frame);
}

void address_rows(const Instruction& instruction, Frame& frame) {
  const std::size_t size = element_size(instruction.a.type.scalar) * instruction.a.type.width;
  const std::byte** const out = frame.values<const std::byte*>(instruction.out);
  const std::byte* const a = frame.values<std::byte>(instruction.a);
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = a + row * size; });
  copy_validity(instruction, frame);
}

void set_valid(const Instruction& instruction, Frame& frame) {
  std::uint8_t* const out = frame.valid(instruction.out);
  if (out == nullptr) return;
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = 1; });
}

void is_null(const Instruction& instruction, Frame& frame) {
  bool* const out = frame.values<bool>(instruction.out);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  for_each_row(frame.rows(instruction),
               [=](std::size_t row) { out[row] = valid != nullptr && valid[row] == 0; });
}

void is_present(const Instruction& instruction, Frame& frame) {
  bool* const out = frame.values<bool>(instruction.out);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  for_each_row(frame.rows(instruction),
               [=](std::size_t row) { out[row] = valid == nullptr || valid[row] != 0; });
}

void choose_true(const Instruction& instruction, Frame& frame) { choose<true>(instruction, frame); }

void choose_false(const Instruction& instruction, Frame& frame) {
  choose<false>(instruction, frame);
}

void split(const Instruction& instruction, Frame& frame) {
  const bool* const a = frame.values<bool>(instruction.a);
  Selection& chosen = frame.selections[instruction.chosen];
  Selection& rest = frame.selections[instruction.rest];
  const Selection from = frame.rows(instruction);
  std::size_t yes = 0;
  std::size_t no = 0;
  for_each_row(from, [&](std::size_t row) {
    const bool is = a[row];
    chosen.rows[yes] = static_cast<Row>(row);
    rest.rows[no] = static_cast<Row>(row);  // never beyond the row just read
    yes += is ? 1U : 0U;
    no += is ? 0U : 1U;
  });
  chosen.dense = from.dense && no == 0;
  rest.dense = from.dense && yes == 0;
  chosen.count = yes;
  rest.count = no;
  chosen.failures = rest.failures = frame.failures;
}

Kernel coalesce_kernel(const Type& type) {
  if (type.is_vector()) return coalesce<const void*>;
  switch (type.scalar) {
    case ScalarType::Bool:
      return coalesce<bool>;
    case ScalarType::F32:
      return coalesce<float>;
    case ScalarType::F64:
      return coalesce<double>;
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return coalesce<std::int64_t>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return coalesce<std::string_view>;
  }
  return nullptr;
}

void discard_false(const Instruction& instruction, Frame& frame) {
  const bool* const a = frame.values<bool>(instruction.a);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    if (!a[row]) frame.batch->discard(static_cast<Row>(frame.first_row + row));
  });
}

Kernel element_kernel(ScalarType type) {
  if (type == ScalarType::F32) return element<float>;
  if (type == ScalarType::F64) return element<double>;
  return nullptr;
}

Kernel column_element_kernel(ScalarType type) {
  if (type == ScalarType::F32) return column_element<float>;
  if (type == ScalarType::F64) return column_element<double>;
  return nullptr;
}

Kernel convert_kernel(const Type& from, const Type& to) {
  if (from.width != to.width) return nullptr;
  if (from.scalar == ScalarType::F32 && to.scalar == ScalarType::F64) {
    return from.is_vector() ? widen_vectors : widen;
  }
  if (from.is_vector()) return nullptr;
  if (from.scalar == ScalarType::Bytes && to.scalar == ScalarType::String) return bytes_to_string;
  return nullptr;
}

}  // namespace kaspar::nodes::expression
