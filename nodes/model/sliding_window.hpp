// Where the windows of a convolution or a pool lie on their input.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nodes/model/node_lowering.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {

/// The windows of one channel, row-major, each with its taps.
struct SlidingWindows {
  Dims out_dims;                       // spatial
  std::vector<std::uint32_t> starts;   // window w has the taps [starts[w], starts[w + 1])
  std::vector<WindowTap> taps;         // those that are no padding
  std::vector<std::uint32_t> covered;  // by each window: its elements with those in the padding

  [[nodiscard]] std::size_t count() const { return starts.size() - 1; }
};

/// Of the node at hand over an input of [batch, channels, spatial...], by its attributes `strides`,
/// `pads`, `dilations`, `auto_pad` and `ceil_mode`. Formulas: https://onnx.ai/onnx/operators/,
/// "Conv", "MaxPool", "AveragePool".
[[nodiscard]] SlidingWindows sliding_windows(NodeLowering& node, const Dims& in_dims,
                                             const Dims& kernel);

}  // namespace kaspar::nodes
