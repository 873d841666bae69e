// Which kernel computes an operation whose operands are all computed first.
#pragma once

#include "nodes/expression/frame.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

/// Whether out = kernel(children) is all that there is to it: neither a leaf, nor a Let, nor one
/// that chooses rows, nor one of any number of operands.
[[nodiscard]] bool is_operation(const Expression& expression);

/// Whether a Convert leaves the bytes of the value as they are.
[[nodiscard]] bool keeps_value(const Type& from, const Type& to);

/// Its kernel; nullptr where operands and types break the rules of expression.hpp.
[[nodiscard]] Kernel operation_kernel(const Expression& expression);

/// The kernel of a call; nullptr where the function would not resolve to these types.
[[nodiscard]] Kernel call_kernel(const Expression& call);

}  // namespace kaspar::nodes::expression
