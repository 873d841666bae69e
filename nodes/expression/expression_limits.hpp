// How large a tree may be that is compiled.
#pragma once

#include <cstddef>
#include <optional>

#include "runtime/core/expression.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes::expression {

/// What an expression may have at most, once functions are put in for their calls: memory and stack
/// are bounded by it. Literals of an `in` do not count.
inline constexpr std::size_t max_nodes = 20'000;
inline constexpr std::size_t max_depth = 2'000;

/// K0101 beyond the limits, K0302 where a node has a wrong number of children. Needs no stack.
[[nodiscard]] std::optional<Issue> find_fault(const Expression& expression);

/// K0302: the tree breaks the rules of expression.hpp here.
[[nodiscard]] Issue malformed(const Expression& expression);

}  // namespace kaspar::nodes::expression
