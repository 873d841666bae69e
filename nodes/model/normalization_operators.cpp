#include "nodes/model/normalization_operators.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/reduction_operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

/// Over the middle axis of [outer, count, inner].
template <class T>
class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(Register in, Register out, std::size_t outer, std::size_t count, std::size_t inner,
                bool logarithm)
      : in_(in), out_(out), outer_(outer), count_(count), inner_(inner), logarithm_(logarithm) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t outer = 0; outer < outer_; ++outer) {
      for (std::size_t inner = 0; inner < inner_; ++inner) {
        one(memory, outer * count_ * inner_ + inner);
      }
    }
  }

 private:
  void one(LaneMemory memory, std::size_t base) const noexcept {
    const auto in = [&](std::size_t i) {
      return memory.at<T>(in_ + (base + i * inner_) * registers_of<T>);
    };
    const auto out = [&](std::size_t i) {
      return memory.at<T>(out_ + (base + i * inner_) * registers_of<T>);
    };
    Lane<T> largest = in(0);
    for (std::size_t i = 1; i < count_; ++i) largest = largest.max(in(i));
    Lane<T> sum = Lane<T>::Zero();
    for (std::size_t i = 0; i < count_; ++i) {
      const Lane<T> power = (in(i)-largest).exp();
      sum += power;
      if (!logarithm_) out(i) = power;
    }
    const Lane<T> log_sum = sum.log();
    for (std::size_t i = 0; i < count_; ++i) {
      if (logarithm_) {
        const Lane<T> below = in(i)-largest;  // first: a large number keeps its digits
        out(i) = below - log_sum;
      } else {
        out(i) /= sum;
      }
    }
  }

  Register in_, out_;
  std::size_t outer_, count_, inner_;
  bool logarithm_;
};

}  // namespace

Tensor softmax_over(NodeLowering& node, const Tensor& from, std::size_t first, std::size_t last,
                    bool logarithm) {
  const std::size_t rank = from.dims.size();
  Tensor out = node.new_tensor(from.dims, from.element);
  out.classes = from.classes;
  if (from.element == Element::F32 && !logarithm) {
    node.emit<VectorSoftmax>(node.contiguous(from), NodeLowering::first_of(out),
                             SoftmaxShape{.outer = product(from.dims, 0, first),
                                          .count = product(from.dims, first, last),
                                          .inner = product(from.dims, last, rank)});
    return out;
  }
  node.computes(from.size(), 256);
  with_lane_type(from.element, [&]<class T>(T) {
    if constexpr (std::is_floating_point_v<T>) {
      node.emit<SoftmaxKernel<T>>(node.contiguous(from), NodeLowering::first_of(out),
                                  product(from.dims, 0, first), product(from.dims, first, last),
                                  product(from.dims, last, rank), logarithm);
    }
  });
  return out;
}

namespace {

void softmax(NodeLowering& node) {
  const Tensor& from = node.floats_in(0);
  const bool flattens = node.opset() < 13;
  const std::size_t rank = from.dims.size();
  if (from.size() == 0 || rank == 0) node.unsupported("on this tensor");
  const std::size_t axis = node.axis_of(node.integer("axis", flattens ? 1 : -1), rank);
  node.define(
      0, softmax_over(node, from, axis, flattens ? rank : axis + 1, node.op() == "LogSoftmax"));
}

void batch_normalization(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  if (node.integer("training_mode", 0) != 0) node.unsupported("while it trains");
  if (x.dims.size() < 2) node.damaged("an input without channels");
  std::array<std::vector<double>, 4> statistics;  // scale, bias, mean, variance
  for (std::size_t i = 0; i < 4; ++i) {
    const Tensor& given = node.in(i + 1);
    if (!given.known() || !is_float(given.element)) node.unsupported("with computed statistics");
    if (given.dims != Dims{x.dims[1]}) node.damaged("statistics that do not fit");
    node.charge(given.size());
    statistics[i] = converted(given, Element::F64).values<double>();
  }
  const auto& [scale, bias, mean, variance] = statistics;
  const double epsilon = node.number("epsilon", 1e-5F);
  std::vector<double> factor(scale.size());
  std::vector<double> shift(scale.size());
  for (std::size_t c = 0; c < scale.size(); ++c) {
    factor[c] = scale[c] / std::sqrt(variance[c] + epsilon);
    shift[c] = bias[c] - mean[c] * factor[c];
  }
  Dims dims(x.dims.size() - 1, 1);
  dims[0] = x.dims[1];
  const auto held = [&](std::vector<double> values) {
    return converted(known_tensor(dims, Element::F64, std::move(values)), x.element);
  };
  const Tensor scaled = combine(node, Binary::Mul, x, held(std::move(factor)));
  node.define(0, combine(node, Binary::Add, scaled, held(std::move(shift))));
}

struct Standardized {
  Tensor values;  // (x - mean) / deviation
  Tensor mean;
  Tensor deviation;  // sqrt(variance + epsilon)
};

/// Over the dimensions that are gone.
Standardized standardized(NodeLowering& node, const Tensor& x, const Axes& gone) {
  Tensor mean = reduced(node, Reduction::Mean, x, gone, true);
  const Tensor centred = combine(node, Binary::Sub, x, mean);
  const Tensor variance =
      reduced(node, Reduction::Mean, combine(node, Binary::Mul, centred, centred), gone, true);
  Tensor deviation =
      apply_unary(node, Unary::Sqrt,
                  combine(node, Binary::Add, variance, scalar(x, node.number("epsilon", 1e-5F))));
  return {combine(node, Binary::Div, centred, deviation), std::move(mean), std::move(deviation)};
}

/// The usual one, whole in a kernel: known weights over the last dimension, one output. False if it
/// is none.
bool vector_layer_norm(NodeLowering& node, const Tensor& x, const Axes& gone) {
  const std::size_t rank = gone.size();
  const auto is_row = [&](std::size_t i) {
    const Tensor& held = node.in(i);
    return held.known() && held.element == Element::F32 && held.dims == Dims{x.dims.back()};
  };
  if (x.element != Element::F32 || x.size() == 0 || node.wants(1) || node.wants(2)) return false;
  if ((rank > 1 && gone[rank - 2]) || !is_row(1) || (node.has(2) && !is_row(2))) return false;
  const Tensor out = node.new_tensor(x.dims, x.element);
  node.emit<VectorLayerNorm>(node.contiguous(x), NodeLowering::first_of(out),
                             product(x.dims, 0, rank - 1), node.number("epsilon", 1e-5F),
                             node.in(1).floats(),
                             node.has(2) ? node.in(2).floats() : std::vector<float>{});
  node.define(0, out);
  return true;
}

void layer_normalization(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  Axes gone(x.dims.size(), false);
  for (std::size_t d = node.axis_of(node.integer("axis", -1), gone.size()); d < gone.size(); ++d) {
    gone[d] = true;
  }
  if (vector_layer_norm(node, x, gone)) return;
  const Standardized standard = standardized(node, x, gone);
  Tensor out = combine(node, Binary::Mul, standard.values, node.in(1));
  if (node.has(2)) out = combine(node, Binary::Add, out, node.in(2));
  if (out.dims != x.dims) node.damaged("a scale or bias that is too large");
  node.define(0, std::move(out));
  node.define(1, standard.mean);
  if (node.wants(2)) node.define(2, apply_unary(node, Unary::Reciprocal, standard.deviation));
}

void instance_normalization(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  if (x.dims.size() < 3) node.damaged("an input without channels");
  Axes gone(x.dims.size(), true);
  gone[0] = gone[1] = false;
  Dims dims(x.dims.size() - 1, 1);
  dims[0] = x.dims[1];
  const Tensor scaled = combine(node, Binary::Mul, standardized(node, x, gone).values,
                                node.reshaped(node.in(1), dims));
  node.define(0, combine(node, Binary::Add, scaled, node.reshaped(node.in(2), dims)));
}

}  // namespace

std::span<const NamedOperator> normalization_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"BatchNormalization", batch_normalization},
      {"InstanceNormalization", instance_normalization},
      {"LayerNormalization", layer_normalization},
      {"LogSoftmax", softmax},
      {"Softmax", softmax},
  });
  return operators;
}

}  // namespace kaspar::nodes
