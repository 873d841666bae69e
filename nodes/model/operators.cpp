#include "nodes/model/operators.hpp"

#include <algorithm>
#include <vector>

namespace kaspar::nodes {
namespace {

const std::vector<NamedOperator>& all_operators() {
  static const std::vector<NamedOperator> sorted = [] {
    std::vector<NamedOperator> all;
    for (const auto& some : {shape_operators(), math_operators(), activation_operators(),
                             reduction_operators(), recurrent_operators()}) {
      all.insert(all.end(), some.begin(), some.end());
    }
    std::ranges::sort(all, {}, &NamedOperator::name);
    return all;
  }();
  return sorted;
}

}  // namespace

std::string operator_names() {
  std::string names;
  for (const NamedOperator& known : all_operators()) {
    if (!names.empty()) names += " ";
    names += known.name;
  }
  return names;
}

const NamedOperator* find_operator(std::string_view name) {
  const auto& all = all_operators();
  const auto found = std::ranges::lower_bound(all, name, {}, &NamedOperator::name);
  return found != all.end() && found->name == name ? &*found : nullptr;
}

}  // namespace kaspar::nodes
