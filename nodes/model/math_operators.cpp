// Operators on numbers one by one, and products of matrices: of constants here, of the records'
// data by steps of the program.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "nodes/model/arithmetic.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

std::int64_t folded_integer(const NodeLowering& node, Arithmetic op, std::int64_t a,
                            std::int64_t b) {
  std::int64_t out = 0;
  bool bad = false;
  switch (op) {
    case Arithmetic::Add:
      bad = __builtin_add_overflow(a, b, &out);
      break;
    case Arithmetic::Sub:
      bad = __builtin_sub_overflow(a, b, &out);
      break;
    case Arithmetic::Mul:
      bad = __builtin_mul_overflow(a, b, &out);
      break;
    case Arithmetic::Div:
      bad = b == 0 || (b == -1 && a == INT64_MIN);
      if (!bad) out = a / b;
      break;
    case Arithmetic::Max:
      return std::max(a, b);
    case Arithmetic::Min:
      return std::min(a, b);
    case Arithmetic::Pow:
      node.unsupported("on integers");
  }
  if (bad) node.damaged("an integer that overflows");
  return out;
}

float folded_float(Arithmetic op, float a, float b) {
  switch (op) {
    case Arithmetic::Add:
      return a + b;
    case Arithmetic::Sub:
      return a - b;
    case Arithmetic::Mul:
      return a * b;
    case Arithmetic::Div:
      return a / b;
    case Arithmetic::Pow:
      return std::pow(a, b);
    case Arithmetic::Max:
      return b > a || std::isnan(b) ? b : a;
    case Arithmetic::Min:
      return b < a || std::isnan(b) ? b : a;
  }
  return 0;
}

Tensor folded(const NodeLowering& node, Arithmetic op, const Tensor& left, const Tensor& right) {
  Tensor out{.dims = left.dims, .integer = left.integer, .known = true};
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left.integer) {
      out.ints.push_back(folded_integer(node, op, left.ints[i], right.ints[i]));
    } else {
      out.floats.push_back(folded_float(op, left.floats[i], right.floats[i]));
    }
  }
  return out;
}

}  // namespace

Tensor apply_unary(NodeLowering& node, Unary function, const Tensor& from) {
  const Register source = node.contiguous(from);
  const Register first = node.allocate(from.size());
  node.emit(UnaryStep{.function = function, .in = source, .out = first, .count = from.size()});
  return node.new_tensor(from.dims, first);
}

Tensor combine(NodeLowering& node, Arithmetic op, const Tensor& left_in, const Tensor& right_in) {
  if (left_in.integer != right_in.integer) node.damaged("operands of different types");
  const Dims dims = node.broadcast(left_in.dims, right_in.dims);
  if (left_in.known && right_in.known) {
    return folded(node, op, node.expanded(left_in, dims), node.expanded(right_in, dims));
  }
  if (left_in.integer) node.unsupported("on integers that depend on the data");
  // In registers first: a constant that is broadcast takes only as many as it has elements.
  const Tensor a = node.expanded(node.in_registers(left_in), dims);
  const Tensor b = node.expanded(node.in_registers(right_in), dims);
  const Register first = node.allocate(a.size());
  node.emit(ArithmeticStep{.op = op, .out = first, .left = a.refs, .right = b.refs});
  return node.new_tensor(dims, first);
}

namespace {

void cast(NodeLowering& node) {
  const std::int64_t to = node.integer("to", 0);
  const bool to_integer = to == 6 || to == 7;
  if (!to_integer && to != 1 && to != 11) node.unsupported(fmt::format("to the data type {}", to));
  const Tensor& from = node.in(0);
  node.charge(from.size());
  Tensor out = from;
  out.integer = to_integer;
  if (from.integer != to_integer && from.known) {
    out.ints.clear();
    out.floats.clear();
    for (std::size_t i = 0; i < from.size(); ++i) {
      if (!to_integer) {
        out.floats.push_back(static_cast<float>(from.ints[i]));
      } else if (from.floats[i] > -9e18F && from.floats[i] < 9e18F) {
        out.ints.push_back(static_cast<std::int64_t>(from.floats[i]));
      } else {
        node.damaged("a number that no integer holds");
      }
    }
  } else if (to_integer && !from.integer) {
    out = apply_unary(node, Unary::Truncate, from);
    out.integer = true;
  }
  node.define(0, std::move(out));
}

void unary(NodeLowering& node) {
  static const std::map<std::string_view, Unary> functions{
      {"Abs", Unary::Abs}, {"Erf", Unary::Erf}, {"Exp", Unary::Exp},
      {"Log", Unary::Log}, {"Neg", Unary::Neg}, {"Sqrt", Unary::Sqrt},
  };
  if (node.in(0).integer) node.unsupported("on integers");
  node.define(0, apply_unary(node, functions.at(node.op()), node.in(0)));
}

void arithmetic(NodeLowering& node) {
  const Arithmetic op = node.op() == "Add"   ? Arithmetic::Add
                        : node.op() == "Sub" ? Arithmetic::Sub
                        : node.op() == "Mul" ? Arithmetic::Mul
                                             : Arithmetic::Div;
  node.define(0, combine(node, op, node.in(0), node.in(1)));
}

/// Max and Min, of as many operands as there are.
void extreme(NodeLowering& node) {
  Tensor out = node.in(0);
  node.charge(out.size());
  for (std::size_t i = 1; i < node.input_count(); ++i) {
    out = combine(node, node.op() == "Max" ? Arithmetic::Max : Arithmetic::Min, out, node.in(i));
  }
  node.define(0, std::move(out));
}

void power(NodeLowering& node) {
  Tensor exponent = node.in(1);
  if (exponent.integer && exponent.known && !node.in(0).integer) {
    for (std::size_t i = 0; i < exponent.size(); ++i) {
      exponent.floats.push_back(static_cast<float>(exponent.ints[i]));
    }
    exponent.integer = false;
  }
  const bool square = exponent.known && !exponent.integer &&
                      std::ranges::all_of(exponent.floats, [](float e) { return e == 2.0F; }) &&
                      node.broadcast(node.in(0).dims, exponent.dims) == node.in(0).dims;
  node.define(0, square ? combine(node, Arithmetic::Mul, node.in(0), node.in(0))
                        : combine(node, Arithmetic::Pow, node.in(0), exponent));
}

/// `weights` is [depth, columns], constant.
Tensor multiply(NodeLowering& node, const Tensor& left, const Tensor& weights, float scale) {
  const auto depth = static_cast<std::size_t>(weights.dims[0]);
  const auto columns = static_cast<std::size_t>(weights.dims[1]);
  Dims dims = left.dims;
  if (dims.empty() || static_cast<std::size_t>(dims.back()) != depth) {
    node.damaged(fmt::format("{} times {}", text(left.dims), text(weights.dims)));
  }
  dims.back() = weights.dims[1];
  const std::size_t size = node.checked_size(dims);
  node.charge(depth * columns);  // once more for each node that uses them
  const std::size_t rows = columns == 0 ? 0 : size / columns;
  MatMulStep step{.in = node.contiguous(left),
                  .out = node.allocate(size),
                  .rows = rows,
                  .depth = depth,
                  .columns = columns,
                  .weights = std::vector<float>(depth * columns)};
  for (std::size_t k = 0; k < depth; ++k) {
    for (std::size_t n = 0; n < columns; ++n) {
      step.weights[n * depth + k] = weights.floats[k * columns + n] * scale;
    }
  }
  const Register first = step.out;
  node.emit(std::move(step));
  return node.new_tensor(dims, first);
}
const Tensor& constant_matrix(const NodeLowering& node, std::size_t i) {
  const Tensor& tensor = node.in(i);
  if (!tensor.known || tensor.integer || tensor.dims.size() != 2) {
    node.unsupported("unless its second operand is a constant matrix");
  }
  return tensor;
}

void mat_mul(NodeLowering& node) {
  node.define(0, multiply(node, node.in(0), constant_matrix(node, 1), 1.0F));
}

void gemm(NodeLowering& node) {
  Tensor left = node.in(0);
  Tensor weights = constant_matrix(node, 1);
  if (left.dims.size() != 2) node.damaged("a first operand that is no matrix");
  if (node.integer("transA", 0) != 0) left = node.transposed(left, {1, 0});
  if (node.integer("transB", 0) != 0) weights = node.transposed(weights, {1, 0});
  Tensor out = multiply(node, left, weights, node.number("alpha", 1.0F));
  if (node.has(2)) {
    Tensor bias = node.in(2);
    const float beta = node.number("beta", 1.0F);
    if (beta != 1.0F) {
      bias = combine(node, Arithmetic::Mul, bias, {.dims = {}, .known = true, .floats = {beta}});
    }
    if (node.broadcast(out.dims, bias.dims) != out.dims)
      node.damaged("a third operand that is too large");
    out = combine(node, Arithmetic::Add, out, bias);
  }
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> math_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Abs", unary},
      {"Add", arithmetic},
      {"Cast", cast},
      {"Div", arithmetic},
      {"Erf", unary},
      {"Exp", unary},
      {"Gemm", gemm},
      {"Log", unary},
      {"MatMul", mat_mul},
      {"Max", extreme},
      {"Min", extreme},
      {"Mul", arithmetic},
      {"Neg", unary},
      {"Pow", power},
      {"Sqrt", unary},
      {"Sub", arithmetic},
  });
  return operators;
}

}  // namespace kaspar::nodes
