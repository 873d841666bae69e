// Reductions over whole dimensions, which other operators are made of too.
#pragma once

#include <cstdint>
#include <vector>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

enum class Reduction : std::uint8_t { Sum, Mean, Product, Max, Min };
using Axes = std::vector<bool>;  // by dimension: it is reduced

/// `keep`: a reduced dimension stays, as 1.
[[nodiscard]] Tensor reduced(NodeLowering& node, Reduction function, const Tensor& from,
                             const Axes& gone, bool keep);

}  // namespace kaspar::nodes
