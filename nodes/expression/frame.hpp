// What the instructions of a compiled expression work on: registers of values, lists of rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/operator.hpp"

namespace kaspar::nodes::expression {

/// Rows that a program works on at a time: few enough for its registers to stay in the first cache.
inline constexpr std::size_t block_rows = 256;

/// A value as an instruction reads it.
struct Input {
  std::uint32_t index = 0;  // of the register
  Type type;                // type.optional: the register's validity counts
};

/// Values of the rows of a block: scratch, a constant, or the rows of a column. Those of a vector
/// are pointers to each row's first element.
struct Register {
  std::byte* data = nullptr;
  std::uint8_t* valid = nullptr;  // one byte a row, 0 = null; nullptr: none is null
};

/// Rows of a block, ascending, counted from the block's first.
struct Selection {
  Row* rows = nullptr;
  std::size_t count = 0;
  std::size_t failures = 0;  // Frame::failures() when it was last without failed rows
  bool dense = false;        // it holds the rows 0 … count - 1, whatever `rows` says
};

template <class F>
void for_each_row(const Selection& selection, F&& f) {
  if (selection.dense) {
    for (std::size_t row = 0; row < selection.count; ++row) f(row);
  } else {
    for (std::size_t i = 0; i < selection.count; ++i) f(std::size_t{selection.rows[i]});
  }
}

class Frame;

/// One step of a program: computes `out` for the rows of a selection. Every field that a kernel
/// does not need is zero.
struct Instruction {
  void (*kernel)(const Instruction& instruction, Frame& frame) = nullptr;
  Input a;
  Input b;
  Input out;
  std::uint32_t selection = 0;     // the rows it works on
  std::uint32_t chosen = 0;        // of a choice: the selection that it fills …
  std::uint32_t rest = 0;          // … and the one with the other rows
  std::uint32_t skip = 0;          // of a choice: how many instructions serve the chosen rows alone
  const void* constant = nullptr;  // what else the kernel needs; owned by the program
};

using Kernel = void (*)(const Instruction& instruction, Frame& frame);

/// The scratch memory of a program, one for each thread that runs it.
class Frame final : public OperatorState {
 public:
  /// The same register as an array of values: bool, std::int64_t, float, double, std::string_view;
  /// of a vector: const float* or const double*.
  template <class T>
  [[nodiscard]] T* values(Input input) const noexcept {
    return reinterpret_cast<T*>(registers[input.index].data);
  }
  /// nullptr: none of its values is null.
  [[nodiscard]] std::uint8_t* valid(Input input) const noexcept {
    return input.type.optional ? registers[input.index].valid : nullptr;
  }
  [[nodiscard]] const Selection& rows(const Instruction& instruction) const noexcept {
    return selections[instruction.selection];
  }

  /// The row fails; it leaves every selection before the next instruction.
  void fail(std::size_t row, DiagnosticCode code, std::string message) {
    batch->fail(static_cast<Row>(first_row + row), code, std::move(message));
    failed[row] = 1;
    ++failures;
  }
  /// The value as a message shows it.
  [[nodiscard]] std::string describe(Input input, std::size_t row) const;

  Batch* batch = nullptr;
  std::size_t first_row = 0;  // of the block, in the batch
  std::size_t block = 0;      // rows that a register holds
  std::size_t failures = 0;   // so far in this block
  std::vector<Register> registers;
  std::vector<Selection> selections;  // 0: the rows alive
  std::vector<std::uint8_t> failed;   // by row of the block; empty of all that when it begins

  std::string text;                           // for what is written piece by piece
  std::vector<Header> headers;                // of one record
  std::vector<std::vector<double>> elements;  // of vectors that are converted

  std::unique_ptr<std::byte[]> memory;
  std::unique_ptr<Row[]> row_memory;
};

/// The text as a message can show it: in quotes, shortened, valid UTF-8 whatever it was.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace kaspar::nodes::expression
