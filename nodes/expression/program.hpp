// A compiled set of expressions: a flat list of instructions over registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "nodes/expression/frame.hpp"
#include "runtime/core/batch.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// The constants of `x in [a, b, …]`; of one type only.
struct LiteralSet {
  std::vector<std::int64_t> integers;  // also timestamps and durations
  std::vector<float> singles;
  std::vector<double> doubles;
  std::vector<std::string_view> texts;
  bool has_false = false;
  bool has_true = false;
};

/// Immutable once built: any number of threads run it, each with a frame of its own.
class Program {
 public:
  /// Scratch for blocks of `block` rows.
  [[nodiscard]] std::unique_ptr<Frame> make_frame(std::size_t block = block_rows) const;

  /// Runs over the rows of batch.alive(). Rows fail with K0906 (i64 overflow, zero divisor, index
  /// outside, unfit `to_*`), K0902 (bytes that are no UTF-8), K0905 (a record without a timestamp)
  /// and K0907 (joined text beyond 16 MiB).
  void run(Batch& batch, Frame& frame) const noexcept;

 private:
  friend class ProgramBuilder;

  struct RegisterPlan {
    enum class Kind : std::uint8_t { Scratch, Constant, Column };
    Kind kind = Kind::Scratch;
    Type type;
    Slot slot = 0;                        // of a Column
    const Expression* literal = nullptr;  // of a Constant, below `literals_`
  };

  void bind_columns(Frame& frame) const noexcept;
  void execute(Frame& frame) const noexcept;

  std::vector<Instruction> code_;
  std::vector<RegisterPlan> registers_;
  std::size_t selections_ = 1;
  std::size_t converted_vectors_ = 0;
  std::deque<Expression> literals_;  // stable addresses
  std::deque<LiteralSet> sets_;
  std::deque<std::string> texts_;
};

}  // namespace kaspar::nodes::expression
