#include "nodes/model/operators.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <vector>

namespace kaspar::nodes {

std::span<const NamedOperator> all_operators() {
  static const std::vector<NamedOperator> sorted = [] {
    std::vector<NamedOperator> all;
    for (const auto& some :
         {shape_operators(), arrangement_operators(), selection_operators(), math_operators(),
          matrix_operators(), activation_operators(), reduction_operators(),
          normalization_operators(), recurrent_operators(), convolution_operators(),
          control_flow_operators(), linear_operators(), category_operators(), tree_operators(),
          support_vector_operators()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, {}, &NamedOperator::name);
    return all;
  }();
  return sorted;
}

std::string unsupported_text(const GraphNode& node, std::string_view what) {
  return fmt::format("operator `{}` of node `{}` is not supported{}{}", node.op, node.name,
                     what.empty() ? "" : " ", what);
}

const NamedOperator* find_operator(std::string_view name) {
  const auto all = all_operators();
  const auto found = std::ranges::lower_bound(all, name, {}, &NamedOperator::name);
  return found != all.end() && found->name == name ? &*found : nullptr;
}

}  // namespace kaspar::nodes
