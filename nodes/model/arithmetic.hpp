// Arithmetic that several operators are made of.
#pragma once

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

[[nodiscard]] Tensor apply_unary(NodeLowering& node, Unary function, const Tensor& from);
/// Broadcasts; of constants a constant.
[[nodiscard]] Tensor combine(NodeLowering& node, Arithmetic op, const Tensor& left,
                             const Tensor& right);
[[nodiscard]] inline Tensor scalar(float value) {
  return {.dims = {}, .known = true, .floats = {value}};
}

}  // namespace kaspar::nodes
