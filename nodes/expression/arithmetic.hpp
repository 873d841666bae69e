// Negation, + - * / %, comparisons and `in`.
#pragma once

#include <string_view>

#include "nodes/expression/frame.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// The kernel of Negate, Not, Add … Remainder of operands of these types; nullptr: there is none.
[[nodiscard]] Kernel arithmetic_kernel(Expression::Kind kind, const Type& type);
/// The kernel of Equal … GreaterEqual of two operands of this type.
[[nodiscard]] Kernel comparison_kernel(Expression::Kind kind, ScalarType type);
/// Whether `a` is in the LiteralSet of the instruction.
[[nodiscard]] Kernel membership_kernel(ScalarType type);
/// out = out or a == b: for the operands of an `in` that are no literals.
[[nodiscard]] Kernel any_equal_kernel(ScalarType type);

/// a == b. Text that differs mostly does so at once: the library's comparison is a call.
template <class T>
[[nodiscard]] bool are_equal(const T& a, const T& b) {
  return a == b;
}
template <>
[[nodiscard]] inline bool are_equal(const std::string_view& a, const std::string_view& b) {
  return a.size() == b.size() && (a.empty() || (a.front() == b.front() && a == b));
}

/// Text longer than this is not joined (K0907): a few doublings would take all memory.
inline constexpr std::size_t longest_text = std::size_t{16} << 20;

}  // namespace kaspar::nodes::expression
