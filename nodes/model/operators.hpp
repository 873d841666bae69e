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
  /// Of inputs that are all known it is computed while the model is compiled, by its own kernels.
  bool folds = true;
};

/// Operators that place elements or compute over shapes.
[[nodiscard]] std::span<const NamedOperator> shape_operators() noexcept;
/// Operators that repeat elements, turn them round and put others beside them.
[[nodiscard]] std::span<const NamedOperator> arrangement_operators() noexcept;
/// Operators that find elements by their order or by places of their own, and running sums.
[[nodiscard]] std::span<const NamedOperator> selection_operators() noexcept;
/// Operators on numbers one by one, and the choice between them.
[[nodiscard]] std::span<const NamedOperator> math_operators() noexcept;
/// Products of matrices.
[[nodiscard]] std::span<const NamedOperator> matrix_operators() noexcept;
/// What stands between the layers of a network.
[[nodiscard]] std::span<const NamedOperator> activation_operators() noexcept;
/// Operators that take whole dimensions together.
[[nodiscard]] std::span<const NamedOperator> reduction_operators() noexcept;
/// Operators that bring values to a common scale.
[[nodiscard]] std::span<const NamedOperator> normalization_operators() noexcept;
/// Networks that step through a sequence.
[[nodiscard]] std::span<const NamedOperator> recurrent_operators() noexcept;

/// Operators that slide a window over a signal or a picture.
[[nodiscard]] std::span<const NamedOperator> convolution_operators() noexcept;
/// Branches and loops, as far as they are decided while the model is compiled.
[[nodiscard]] std::span<const NamedOperator> control_flow_operators() noexcept;

/// All of them, by name.
[[nodiscard]] std::span<const NamedOperator> all_operators();
/// ai.onnx.ml: what scales, fills, picks and weighs columns.
[[nodiscard]] std::span<const NamedOperator> linear_operators() noexcept;
/// ai.onnx.ml: categories and their numbers, and what picks by a computed place.
[[nodiscard]] std::span<const NamedOperator> category_operators() noexcept;
/// ai.onnx.ml: forests and boosted trees.
[[nodiscard]] std::span<const NamedOperator> tree_operators() noexcept;
/// ai.onnx.ml: support vector machines.
[[nodiscard]] std::span<const NamedOperator> support_vector_operators() noexcept;
/// What is said of a node that is not executed, and the way out.
[[nodiscard]] std::string unsupported_text(const GraphNode& node, std::string_view what = {});
inline constexpr const char* unsupported_help =
    "`kaspar explain K0404` lists the operators that are";
/// null: it is not executed.
[[nodiscard]] const NamedOperator* find_operator(std::string_view name);

}  // namespace kaspar::nodes
