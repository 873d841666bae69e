// Operators that take whole dimensions together: sums, means, normalizations, softmax.
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "nodes/model/arithmetic.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::size_t most_factors = 64;

using Axes = std::vector<bool>;  // by dimension: it is reduced

Tensor reduced(NodeLowering& node, Reduction function, const Tensor& from, const Axes& gone,
               bool keep) {
  if (from.integer) node.unsupported("on integers");
  std::vector<std::size_t> order;
  Dims dims;
  for (std::size_t d = 0; d < gone.size(); ++d) {
    if (!gone[d]) order.push_back(d);
    if (!gone[d] || keep) dims.push_back(gone[d] ? 1 : from.dims[d]);
  }
  std::size_t count = 1;
  for (std::size_t d = 0; d < gone.size(); ++d) {
    if (!gone[d]) continue;
    order.push_back(d);
    count *= static_cast<std::size_t>(from.dims[d]);
  }
  if (count == 0) node.unsupported("over no elements");
  Tensor source = node.in_registers(node.transposed(from, order));
  const Register first = node.allocate(source.size() / count);
  node.emit(ReduceStep{
      .function = function, .out = first, .from = std::move(source.refs), .count = count});
  return node.new_tensor(std::move(dims), first);
}

/// How many elements a shape has.
void reduce_product(NodeLowering& node) {
  const Dims factors = node.known_integers(0);
  if (!node.integers("axes", 1).empty() && factors.size() != 1) node.unsupported("over some axes");
  if (factors.size() > most_factors) node.unsupported("of so many numbers");
  Dims dims;
  if (node.integer("keepdims", 1) != 0) dims.assign(node.in(0).dims.size(), 1);
  Tensor out = {.dims = dims, .integer = true, .known = true, .ints = {1}};
  for (const std::int64_t factor : factors) {
    out = combine(node, Arithmetic::Mul, out,
                  {.dims = {}, .integer = true, .known = true, .ints = {factor}});
  }
  node.define(0, std::move(out));
}

void reduce(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Dims axes = node.integers("axes", 1);
  const bool all = axes.empty() && node.integer("noop_with_empty_axes", 0) == 0;
  Axes gone(from.dims.size(), all);
  for (const std::int64_t axis : axes) gone[node.axis_of(axis, from.dims.size())] = true;
  const Reduction function = node.op() == "ReduceSum"    ? Reduction::Sum
                             : node.op() == "ReduceMean" ? Reduction::Mean
                             : node.op() == "ReduceMax"  ? Reduction::Max
                                                         : Reduction::Min;
  node.define(0, reduced(node, function, from, gone, node.integer("keepdims", 1) != 0));
}

void global_pool(NodeLowering& node) {
  const Tensor& from = node.in(0);
  Axes gone(from.dims.size(), true);
  for (std::size_t d = 0; d < std::min<std::size_t>(2, gone.size()); ++d) gone[d] = false;
  node.define(0, reduced(node, node.op() == "GlobalAveragePool" ? Reduction::Mean : Reduction::Max,
                         from, gone, true));
}

void batch_normalization(NodeLowering& node) {
  const Tensor& x = node.in(0);
  if (node.integer("training_mode", 0) != 0) node.unsupported("while it trains");
  if (x.dims.size() < 2) node.damaged("an input without channels");
  for (std::size_t i = 1; i < 5; ++i) {
    if (!node.in(i).known || node.in(i).integer) node.unsupported("with computed statistics");
    if (node.in(i).dims != Dims{x.dims[1]}) node.damaged("statistics that do not fit");
  }
  Tensor factor = node.in(1);
  Tensor shift = node.in(2);
  factor.dims.resize(x.dims.size() - 1, 1);
  shift.dims = factor.dims;
  const float epsilon = node.number("epsilon", 1e-5F);
  for (std::size_t c = 0; c < factor.floats.size(); ++c) {
    factor.floats[c] /= std::sqrt(node.in(4).floats[c] + epsilon);
    shift.floats[c] -= node.in(3).floats[c] * factor.floats[c];
  }
  node.define(0, combine(node, Arithmetic::Add, combine(node, Arithmetic::Mul, x, factor), shift));
}

void layer_normalization(NodeLowering& node) {
  const Tensor& x = node.in(0);
  Axes gone(x.dims.size(), false);
  for (std::size_t d = node.axis_of(node.integer("axis", -1), gone.size()); d < gone.size(); ++d) {
    gone[d] = true;
  }
  const Tensor centred =
      combine(node, Arithmetic::Sub, x, reduced(node, Reduction::Mean, x, gone, true));
  const Tensor variance =
      reduced(node, Reduction::Mean, combine(node, Arithmetic::Mul, centred, centred), gone, true);
  const Tensor deviation =
      apply_unary(node, Unary::Sqrt,
                  combine(node, Arithmetic::Add, variance, scalar(node.number("epsilon", 1e-5F))));
  Tensor out = combine(node, Arithmetic::Mul, combine(node, Arithmetic::Div, centred, deviation),
                       node.in(1));
  if (node.has(2)) out = combine(node, Arithmetic::Add, out, node.in(2));
  if (out.dims != x.dims) node.damaged("a scale or bias that is too large");
  node.define(0, std::move(out));
}

void softmax(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const bool flattens = node.opset() < 13;
  const std::size_t axis = node.axis_of(node.integer("axis", flattens ? 1 : -1), from.dims.size());
  if (from.size() == 0 || from.integer) node.unsupported("on this tensor");
  const std::size_t rank = from.dims.size();
  SoftmaxStep step{.in = node.contiguous(from),
                   .out = node.allocate(from.size()),
                   .outer = product(from.dims, 0, axis),
                   .count = product(from.dims, axis, flattens ? rank : axis + 1),
                   .inner = flattens ? 1 : product(from.dims, axis + 1, rank),
                   .logarithm = node.op() == "LogSoftmax"};
  node.emit(step);
  node.define(0, node.new_tensor(from.dims, step.out));
}

void arg_max(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t axis = node.axis_of(node.integer("axis", 0), from.dims.size());
  if (from.size() == 0) node.unsupported("on this tensor");
  node.charge(from.size());
  const std::size_t outer = product(from.dims, 0, axis);
  const std::size_t inner = product(from.dims, axis + 1, from.dims.size());
  Dims dims = from.dims;
  dims[axis] = 1;
  if (node.integer("keepdims", 1) == 0)
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  ArgMaxStep step{.in = node.contiguous(from),
                  .out = node.allocate(outer * inner),
                  .outer = outer,
                  .count = static_cast<std::size_t>(from.dims[axis]),
                  .inner = inner,
                  .last = node.integer("select_last_index", 0) != 0};
  node.emit(step);
  node.define(0, node.new_tensor(dims, step.out, true));
}
}  // namespace

std::span<const NamedOperator> reduction_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ArgMax", arg_max},
      {"BatchNormalization", batch_normalization},
      {"GlobalAveragePool", global_pool},
      {"GlobalMaxPool", global_pool},
      {"LayerNormalization", layer_normalization},
      {"LogSoftmax", softmax},
      {"ReduceMax", reduce},
      {"ReduceMean", reduce},
      {"ReduceMin", reduce},
      {"ReduceProd", reduce_product},
      {"ReduceSum", reduce},
      {"Softmax", softmax},
  });
  return operators;
}

}  // namespace kaspar::nodes
