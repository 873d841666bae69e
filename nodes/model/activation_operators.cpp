// What stands between the layers of a network.
#include <array>
#include <utility>

#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

Tensor plus(NodeLowering& node, const Tensor& x, double by) {
  return combine(node, Binary::Add, x, scalar(x, by));
}
Tensor times(NodeLowering& node, const Tensor& x, double by) {
  return combine(node, Binary::Mul, x, scalar(x, by));
}
Tensor positive(NodeLowering& node, const Tensor& x) {
  return combine(node, Binary::Max, x, scalar(x, 0));
}
Tensor negative(NodeLowering& node, const Tensor& x) {
  return combine(node, Binary::Min, x, scalar(x, 0));
}

void relu(NodeLowering& node) {
  if (auto* const product = node.sole_source<VectorProduct>(0)) {
    product->rectify();
    return node.define(0, node.in(0));
  }
  if (auto* const convolution = node.sole_source<VectorConvolution>(0)) {
    convolution->rectify();
    return node.define(0, node.in(0));
  }
  node.define(0, apply_unary(node, Unary::Relu, node.in(0)));
}
void sigmoid(NodeLowering& node) {
  node.define(0, apply_unary(node, Unary::Sigmoid, node.floats_in(0)));
}
void tanh(NodeLowering& node) { node.define(0, apply_unary(node, Unary::Tanh, node.floats_in(0))); }

void leaky_relu(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor below = times(node, negative(node, x), node.number("alpha", 0.01F));
  node.define(0, combine(node, Binary::Add, positive(node, x), below));
}

void p_relu(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor below = combine(node, Binary::Mul, negative(node, x), node.in(1));
  node.define(0, combine(node, Binary::Add, positive(node, x), below));
}

/// gamma * (max(x, 0) + alpha * (exp(min(x, 0)) - 1))
Tensor exponential_linear(NodeLowering& node, const Tensor& x, double alpha, double gamma) {
  const Tensor below = plus(node, apply_unary(node, Unary::Exp, negative(node, x)), -1);
  const Tensor sum = combine(node, Binary::Add, positive(node, x), times(node, below, alpha));
  return gamma == 1 ? sum : times(node, sum, gamma);
}

void elu(NodeLowering& node) {
  node.define(0, exponential_linear(node, node.floats_in(0), node.number("alpha", 1), 1));
}

void selu(NodeLowering& node) {
  node.define(0, exponential_linear(node, node.floats_in(0),
                                    node.number("alpha", 1.67326319217681884765625F),
                                    node.number("gamma", 1.05070102214813232421875F)));
}

/// max(x, 0) + alpha * (exp(min(x, 0) / alpha) - 1)
void celu(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const double alpha = node.number("alpha", 1);
  if (alpha == 0) node.damaged("an `alpha` of 0");
  const Tensor power = apply_unary(node, Unary::Exp, times(node, negative(node, x), 1 / alpha));
  node.define(
      0, combine(node, Binary::Add, positive(node, x), times(node, plus(node, power, -1), alpha)));
}

/// log(1 + exp x), which does not overflow as max(x, 0) + log(1 + exp -|x|).
Tensor logarithm_of_both(NodeLowering& node, const Tensor& x) {
  const Tensor size = apply_unary(node, Unary::Neg, apply_unary(node, Unary::Abs, x));
  const Tensor power = apply_unary(node, Unary::Exp, size);
  const Tensor rest = apply_unary(node, Unary::Log, plus(node, power, 1));
  return combine(node, Binary::Add, positive(node, x), rest);
}

void softplus(NodeLowering& node) { node.define(0, logarithm_of_both(node, node.floats_in(0))); }

void mish(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor gate = apply_unary(node, Unary::Tanh, logarithm_of_both(node, x));
  node.define(0, combine(node, Binary::Mul, x, gate));
}

void swish(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor gate = apply_unary(node, Unary::Sigmoid, times(node, x, node.number("alpha", 1)));
  node.define(0, combine(node, Binary::Mul, x, gate));
}

void softsign(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  node.define(0, combine(node, Binary::Div, x, plus(node, apply_unary(node, Unary::Abs, x), 1)));
}

/// x / 2 * (1 + erf(x / sqrt 2)), or with tanh of 0.7978845608 * (x + 0.044715 x³).
void gelu(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  Tensor part;
  if (node.word("approximate", "none") == "tanh") {
    const Tensor cube = combine(node, Binary::Mul, combine(node, Binary::Mul, x, x), x);
    const Tensor inner = combine(node, Binary::Add, x, times(node, cube, 0.044715));
    part = apply_unary(node, Unary::Tanh, times(node, inner, 0.7978845608028654));
  } else {
    part = apply_unary(node, Unary::Erf, times(node, x, 0.7071067811865476));
  }
  node.define(0, combine(node, Binary::Mul, times(node, x, 0.5), plus(node, part, 1)));
}

Tensor hard_line(NodeLowering& node, const Tensor& x, double alpha, double beta) {
  const Tensor line = positive(node, plus(node, times(node, x, alpha), beta));
  return combine(node, Binary::Min, line, scalar(x, 1));
}

void hard_sigmoid(NodeLowering& node) {
  node.define(
      0, hard_line(node, node.floats_in(0), node.number("alpha", 0.2F), node.number("beta", 0.5F)));
}

void hard_swish(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  node.define(0, combine(node, Binary::Mul, x, hard_line(node, x, 1.0 / 6, 0.5)));
}

void thresholded_relu(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  const Tensor above = combine(node, Binary::Greater, x, scalar(x, node.number("alpha", 1)));
  node.define(0, choose(node, above, x, scalar(x, 0)));
}

/// Its bounds are attributes in old versions and inputs in new ones.
void clip(NodeLowering& node) {
  Tensor out = node.in(0);
  node.charge(out.size());
  const auto bound = [&](const char* name, std::size_t i, Binary op) {
    if (node.attribute(name) != nullptr) {
      out = combine(node, op, out, scalar(out, node.number(name, 0)));
    }
    if (node.has(i)) out = combine(node, op, out, node.in(i));
  };
  bound("min", 1, Binary::Max);
  bound("max", 2, Binary::Min);
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> activation_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Celu", celu},
      {"Clip", clip},
      {"Elu", elu},
      {"Gelu", gelu},
      {"HardSigmoid", hard_sigmoid},
      {"HardSwish", hard_swish},
      {"LeakyRelu", leaky_relu},
      {"Mish", mish},
      {"PRelu", p_relu},
      {"Relu", relu},
      {"Selu", selu},
      {"Sigmoid", sigmoid},
      {"Softplus", softplus},
      {"Softsign", softsign},
      {"Swish", swish},
      {"Tanh", tanh},
      {"ThresholdedRelu", thresholded_relu},
  });
  return operators;
}

}  // namespace kaspar::nodes
