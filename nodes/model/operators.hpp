// The operators that are executed, each as a function that lowers a node of it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

struct NamedOperator {
  std::string_view name;  // as GraphNode::op
  void (*lower)(NodeLowering& node);
};

/// Operators that place elements or compute over shapes.
[[nodiscard]] std::span<const NamedOperator> shape_operators() noexcept;
/// Operators on numbers one by one, and products of matrices.
[[nodiscard]] std::span<const NamedOperator> math_operators() noexcept;
/// What stands between the layers of a network.
[[nodiscard]] std::span<const NamedOperator> activation_operators() noexcept;
/// Operators that take whole dimensions together.
[[nodiscard]] std::span<const NamedOperator> reduction_operators() noexcept;
/// Networks that step through a sequence.
[[nodiscard]] std::span<const NamedOperator> recurrent_operators() noexcept;

/// Of all of them, separated by blanks.
[[nodiscard]] std::string operator_names();
/// null: it is not executed.
[[nodiscard]] const NamedOperator* find_operator(std::string_view name);

}  // namespace kaspar::nodes
