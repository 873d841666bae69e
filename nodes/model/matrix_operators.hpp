// Products of matrices, which other operators are made of too.
#pragma once

#include <vector>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

/// [rows, depth] · [depth, columns], of one floating type, in the shape `dims`. The left one may
/// have more dimensions than a matrix: its rows are all before the last one. `bias` is added to
/// each row; only F32 has one, which may be empty.
[[nodiscard]] Tensor multiply(NodeLowering& node, const Tensor& left, const Tensor& right,
                              Dims dims, const std::vector<float>& bias = {});

}  // namespace kaspar::nodes
