// The operators that are executed, each as a function that lowers a node of it.
#pragma once

#include <span>
#include <string_view>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

struct NamedOperator {
  std::string_view name;  // as GraphNode::op
  void (*lower)(NodeLowering& node);
};

/// Operators that place elements or compute over shapes.
[[nodiscard]] std::span<const NamedOperator> shape_operators() noexcept;
/// Operators that compute numbers.
[[nodiscard]] std::span<const NamedOperator> math_operators() noexcept;
/// Networks that step through a sequence.
[[nodiscard]] std::span<const NamedOperator> recurrent_operators() noexcept;

}  // namespace kaspar::nodes
