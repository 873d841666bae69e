// Compiles typed expression trees into a Program.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nodes/expression/program.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes::expression {

/// Register allocation follows the tree: an operand's scratch is free again once it is read. The
/// expressions are copied from as far as they are needed.
class ProgramBuilder {
 public:
  /// Adds: compute `expression` into the column `slot` of this type.
  void compute(const Expression& expression, Slot slot);
  /// Adds: discard the rows where `condition` is not true.
  void require(const Expression& condition);
  /// The program, or why it cannot be: K0101 beyond the limits of
  /// expression_limits.hpp, K0302 where a tree breaks the
  /// rules of expression.hpp.
  [[nodiscard]] std::expected<Program, Issue> finish() &&;

 private:
  /// A value that instructions can read; scratch of its own is given back when it was read.
  struct Held {
    Input input;
    bool scratch = false;
  };

  bool is_compilable(const Expression& expression);
  Held value_of(const Expression& expression, std::uint32_t selection);
  /// Writes the validity too where `out` has one.
  void compute_into(const Expression& expression, Input out, std::uint32_t selection);
  void compute_leaf(const Expression& expression, Input out, std::uint32_t selection);
  void compute_let(const Expression& expression, Input out, std::uint32_t selection);
  void compute_logic(const Expression& expression, Input out, std::uint32_t selection);
  void compute_case(const Expression& expression, Input out, std::uint32_t selection);
  void compute_coalesce(const Expression& expression, Input out, std::uint32_t selection);
  void compute_membership(const Expression& expression, Input out, std::uint32_t selection);
  void compute_fold(const Expression& expression, Input out, std::uint32_t selection);
  /// Into `out`, or else into scratch that is taken once the operands are computed.
  Held operate(const Expression& expression, std::optional<Input> out, std::uint32_t selection);

  Input column(Slot slot, const Type& type);
  Input constant(const Expression& literal);
  Held scratch(const Type& type);
  void give_back(const Held& held);
  std::uint32_t open_selection();
  void close_selection() { --open_selections_; }
  std::size_t emit(Instruction instruction);
  void skip_from(std::size_t choice);
  void refuse(const Expression& expression);

  Program program_;
  std::map<Slot, std::uint32_t> columns_;  // registers
  std::vector<std::uint32_t> free_;        // scratch registers
  std::map<std::uint32_t, Input> locals_;
  std::uint32_t open_selections_ = 1;
  std::optional<Issue> issue_;
};

}  // namespace kaspar::nodes::expression
