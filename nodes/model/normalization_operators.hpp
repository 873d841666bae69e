// Softmax, which classifiers end in too.
#pragma once

#include <cstddef>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

/// Over the dimensions [first, last) together; of a floating tensor with elements.
[[nodiscard]] Tensor softmax_over(NodeLowering& node, const Tensor& from, std::size_t first,
                                  std::size_t last, bool logarithm = false);

}  // namespace kaspar::nodes
