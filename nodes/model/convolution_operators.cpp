// Operators that slide a window over a signal or a picture.
#include <fmt/core.h>

#include <array>
#include <type_traits>
#include <utility>
#include <vector>

#include "nodes/model/convolution_kernels.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

/// [batch, channels] and the windows' own dimensions.
Dims pooled_dims(const Tensor& from, std::int64_t channels, const SlidingWindows& windows) {
  Dims dims{from.dims[0], channels};
  dims.insert(dims.end(), windows.out_dims.begin(), windows.out_dims.end());
  return dims;
}

template <class T>
void lower_conv(NodeLowering& node, std::int64_t groups, const Dims& kernel) {
  const Tensor& x = node.in(0);
  const Tensor& w = node.in(1);
  SlidingWindows windows = sliding_windows(node, x.dims, kernel);
  std::vector<T> bias(static_cast<std::size_t>(w.dims[0]), 0);
  if (node.has(2)) bias = node.in(2).values<T>();
  // Held once more; vectors of a group's channels are rounded up to whole blocks.
  const auto outputs = static_cast<std::size_t>(w.dims[0] / groups);
  const std::size_t padded = (outputs + lanes - 1) / lanes * lanes;
  node.charge(w.size());
  node.charge(static_cast<std::size_t>(groups) * padded, product(w.dims, 1, w.dims.size()) + 1);
  const auto batch = static_cast<std::size_t>(x.dims[0]);
  node.computes(batch * windows.taps.size(),
                product(w.dims, 0, 2) * (std::is_same_v<T, float> ? 1 : 8));
  const Tensor out = node.new_tensor(pooled_dims(x, w.dims[0], windows), x.element);
  const ConvolutionLayout layout{.in = node.contiguous(x),
                                 .out = NodeLowering::first_of(out),
                                 .batch = batch,
                                 .groups = static_cast<std::size_t>(groups),
                                 .in_channels = static_cast<std::size_t>(w.dims[1]),
                                 .out_channels = static_cast<std::size_t>(w.dims[0] / groups),
                                 .spatial = product(x.dims, 2, x.dims.size()),
                                 .kernel = product(kernel, 0, kernel.size())};
  if constexpr (std::is_same_v<T, float>) {
    node.emit<VectorConvolution>(layout, std::move(windows), w.values<T>(), std::move(bias));
  } else {
    node.emit<ConvolutionKernel<T>>(layout, std::move(windows), w.values<T>(), std::move(bias));
  }
  node.define(0, out);
}

void conv(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor& w = node.floats_in(1);
  if (!w.known() || (node.has(2) && !node.in(2).known())) {
    node.unsupported("with weights that are computed");
  }
  if (w.element != x.element) node.damaged("weights of another type");
  if (x.dims.size() < 3 || w.dims.size() != x.dims.size() || w.size() == 0) {
    node.damaged(fmt::format("weights {} over an input {}", text(w.dims), text(x.dims)));
  }
  const Dims kernel(w.dims.begin() + 2, w.dims.end());
  const std::int64_t groups = node.integer("group", 1);
  if (groups < 1 || groups > w.dims[0] || w.dims[0] % groups != 0 ||
      x.dims[1] / groups != w.dims[1] || x.dims[1] % groups != 0) {
    node.damaged(fmt::format("weights {} over an input {} in {} groups", text(w.dims), text(x.dims),
                             groups));
  }
  if (const Attribute* given = node.attribute("kernel_shape");
      given != nullptr && given->integers != kernel) {
    node.damaged("`kernel_shape` is not its weights'");
  }
  if (node.has(2) && (node.in(2).element != x.element || node.in(2).dims != Dims{w.dims[0]})) {
    node.damaged("a bias that does not fit");
  }
  if (x.element == Element::F64) {
    lower_conv<double>(node, groups, kernel);
  } else {
    lower_conv<float>(node, groups, kernel);
  }
}

template <class T>
void lower_pool(NodeLowering& node, const Tensor& from, SlidingWindows windows) {
  const Tensor out = node.new_tensor(pooled_dims(from, from.dims[1], windows), from.element);
  const Register in = node.contiguous(from);
  const std::size_t channels = product(from.dims, 0, 2);
  node.computes(windows.taps.size(), 8 * channels);
  const std::size_t spatial = product(from.dims, 2, from.dims.size());
  if (node.op() == "MaxPool" && from.element == Element::F32) {
    node.emit<VectorMaxPool>(in, NodeLowering::first_of(out), channels, spatial,
                             std::move(windows));
  } else if (node.op() == "MaxPool") {
    node.emit<MaxPoolKernel<T>>(in, NodeLowering::first_of(out), channels, spatial,
                                std::move(windows));
  } else {
    node.emit<AveragePoolKernel<T>>(in, NodeLowering::first_of(out), channels, spatial,
                                    std::move(windows), node.integer("count_include_pad", 0) != 0);
  }
  node.define(0, out);
}

void pool(NodeLowering& node) {
  const bool largest = node.op() == "MaxPool";
  const Tensor& from = largest && node.in(0).integer() ? node.in(0) : node.floats_in(0);
  const Attribute* kernel = node.attribute("kernel_shape");
  if (kernel == nullptr) node.damaged("no `kernel_shape`");
  if (node.wants(1)) node.unsupported("with the places of the largest");
  SlidingWindows windows = sliding_windows(node, from.dims, kernel->integers);
  if (from.integer()) {
    lower_pool<std::int64_t>(node, from, std::move(windows));
  } else if (from.element == Element::F64) {
    lower_pool<double>(node, from, std::move(windows));
  } else {
    lower_pool<float>(node, from, std::move(windows));
  }
}

}  // namespace

std::span<const NamedOperator> convolution_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"AveragePool", pool},
      {"Conv", conv},
      {"MaxPool", pool},
  });
  return operators;
}

}  // namespace kaspar::nodes
