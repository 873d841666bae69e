#include <array>
#include <utility>

#include "nodes/model/arithmetic.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

const Tensor& input(const NodeLowering& node) {
  if (node.in(0).integer) node.unsupported("on integers");
  return node.in(0);
}
Tensor positive(NodeLowering& node, const Tensor& x) {
  return combine(node, Arithmetic::Max, x, scalar(0));
}
Tensor negative(NodeLowering& node, const Tensor& x) {
  return combine(node, Arithmetic::Min, x, scalar(0));
}

void relu(NodeLowering& node) { node.define(0, apply_unary(node, Unary::Relu, input(node))); }
void sigmoid(NodeLowering& node) { node.define(0, apply_unary(node, Unary::Sigmoid, input(node))); }
void tanh(NodeLowering& node) { node.define(0, apply_unary(node, Unary::Tanh, input(node))); }

void leaky_relu(NodeLowering& node) {
  const Tensor& x = input(node);
  const Tensor below =
      combine(node, Arithmetic::Mul, negative(node, x), scalar(node.number("alpha", 0.01F)));
  node.define(0, combine(node, Arithmetic::Add, positive(node, x), below));
}

void elu(NodeLowering& node) {
  const Tensor& x = input(node);
  const Tensor below =
      combine(node, Arithmetic::Sub, apply_unary(node, Unary::Exp, negative(node, x)), scalar(1));
  node.define(0, combine(node, Arithmetic::Add, positive(node, x),
                         combine(node, Arithmetic::Mul, below, scalar(node.number("alpha", 1)))));
}

/// log(1 + exp x), which does not overflow as max(x, 0) + log(1 + exp -|x|).
void softplus(NodeLowering& node) {
  const Tensor& x = input(node);
  const Tensor size = apply_unary(node, Unary::Neg, apply_unary(node, Unary::Abs, x));
  const Tensor power = apply_unary(node, Unary::Exp, size);
  const Tensor rest =
      apply_unary(node, Unary::Log, combine(node, Arithmetic::Add, power, scalar(1)));
  node.define(0, combine(node, Arithmetic::Add, positive(node, x), rest));
}

void hard_sigmoid(NodeLowering& node) {
  const Tensor line =
      combine(node, Arithmetic::Add,
              combine(node, Arithmetic::Mul, input(node), scalar(node.number("alpha", 0.2F))),
              scalar(node.number("beta", 0.5F)));
  node.define(0, combine(node, Arithmetic::Min, positive(node, line), scalar(1)));
}

/// Its bounds are attributes in old versions and inputs in new ones.
void clip(NodeLowering& node) {
  Tensor out = input(node);
  node.charge(out.size());
  const auto bound = [&](const char* name, std::size_t i, Arithmetic op) {
    if (node.attribute(name) != nullptr) out = combine(node, op, out, scalar(node.number(name, 0)));
    if (node.has(i)) out = combine(node, op, out, node.in(i));
  };
  bound("min", 1, Arithmetic::Max);
  bound("max", 2, Arithmetic::Min);
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> activation_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Clip", clip},
      {"Elu", elu},
      {"HardSigmoid", hard_sigmoid},
      {"LeakyRelu", leaky_relu},
      {"Relu", relu},
      {"Sigmoid", sigmoid},
      {"Softplus", softplus},
      {"Tanh", tanh},
  });
  return operators;
}

}  // namespace kaspar::nodes
