#include "nodes/model/matrix_operators.hpp"

#include <fmt/core.h>

#include <array>
#include <utility>
#include <vector>

#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

/// [rows, depth] · [depth, columns], the right one constant.
class ConstantDoubleProduct final : public Kernel {
 public:
  /// `weights` is [columns, depth].
  ConstantDoubleProduct(Register in, Register out, std::size_t rows, std::size_t depth,
                        std::vector<double> weights)
      : in_(in),
        out_(out),
        rows_(rows),
        depth_(depth),
        columns_(depth == 0 ? 0 : weights.size() / depth),
        weights_(std::move(weights)) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t row = 0; row < rows_; ++row) {
      const std::size_t in = in_ + row * depth_ * registers_of<double>;
      for (std::size_t column = 0; column < columns_; ++column) {
        const double* weights = weights_.data() + column * depth_;
        Lane<double> sum = Lane<double>::Zero();
        for (std::size_t i = 0; i < depth_; ++i) {
          sum += weights[i] * memory.at<double>(in + i * registers_of<double>);
        }
        memory.at<double>(out_ + (row * columns_ + column) * registers_of<double>) = sum;
      }
    }
  }

 private:
  Register in_, out_;
  std::size_t rows_, depth_, columns_;
  std::vector<double> weights_;
};

/// [rows, depth] · [depth, columns], both of the record.
class ComputedDoubleProduct final : public Kernel {
 public:
  /// `right` is [columns, depth].
  ComputedDoubleProduct(Register left, Register right, Register out, std::size_t rows,
                        std::size_t depth, std::size_t columns)
      : left_(left), right_(right), out_(out), rows_(rows), depth_(depth), columns_(columns) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::size_t column = 0; column < columns_; ++column) {
        Lane<double> sum = Lane<double>::Zero();
        for (std::size_t i = 0; i < depth_; ++i) {
          sum += memory.at<double>(left_ + (row * depth_ + i) * registers_of<double>) *
                 memory.at<double>(right_ + (column * depth_ + i) * registers_of<double>);
        }
        memory.at<double>(out_ + (row * columns_ + column) * registers_of<double>) = sum;
      }
    }
  }

 private:
  Register left_, right_, out_;
  std::size_t rows_, depth_, columns_;
};

}  // namespace

Tensor multiply(NodeLowering& node, const Tensor& left, const Tensor& right, Dims dims,
                const std::vector<float>& bias) {
  const auto depth = static_cast<std::size_t>(right.dims[0]);
  const auto columns = static_cast<std::size_t>(right.dims[1]);
  const std::size_t rows = depth == 0 ? 0 : left.size() / depth;
  if (depth == 0) node.unsupported("over no elements");
  node.charge(depth * (columns + dense_block));  // once more for each node that uses them
  // Doubles and computed matrices go through all lanes, constant ones column by column.
  const bool fast = left.element == Element::F32 && right.known();
  node.computes(rows * depth, fast ? columns / 8 + 1 : 8 * columns);
  Tensor out = node.new_tensor(std::move(dims), left.element);
  if (fast) {
    node.emit<VectorProduct>(node.contiguous(left), NodeLowering::first_of(out), rows, depth,
                             right.floats(), bias);
    return out;
  }
  const Tensor turned = node.transposed(right, {1, 0});
  if (left.element == Element::F32) {
    node.emit<VectorComputedProduct>(
        node.contiguous(left), node.contiguous(turned), NodeLowering::first_of(out),
        ComputedProductShape{.rows = rows, .depth = depth, .columns = columns});
    return out;
  }
  if (right.known()) {
    node.emit<ConstantDoubleProduct>(node.contiguous(left), NodeLowering::first_of(out), rows,
                                     depth, turned.values<double>());
  } else {
    node.emit<ComputedDoubleProduct>(node.contiguous(left), node.contiguous(turned),
                                     NodeLowering::first_of(out), rows, depth, columns);
  }
  return out;
}

namespace {

/// The matrix at place `i` of those that the leading dimensions count.
Tensor matrix_at(NodeLowering& node, const Tensor& stack, std::size_t i) {
  const std::size_t rank = stack.dims.size();
  const Dims dims{stack.dims[rank - 2], stack.dims[rank - 1]};
  const auto start = static_cast<std::int64_t>(i * product(dims, 0, 2));
  return node.ordered(stack, dims, node.walk(dims, strides_of(dims), start));
}

/// As NumPy's matmul.
void mat_mul(NodeLowering& node) {
  Tensor left = node.floats_in(0);
  Tensor right = node.floats_in(1);
  if (left.element != right.element) node.damaged("operands of different types");
  if (left.dims.empty() || right.dims.empty()) node.damaged("an operand without dimensions");
  const bool row = left.dims.size() == 1;
  const bool column = right.dims.size() == 1;
  if (row) left.dims.insert(left.dims.begin(), 1);
  if (column) right.dims.push_back(1);
  const std::size_t lead = left.dims.size() - 2;
  const std::size_t right_lead = right.dims.size() - 2;
  if (left.dims.back() != right.dims[right_lead]) {
    node.damaged(fmt::format("{} times {}", text(left.dims), text(right.dims)));
  }
  Dims outer = node.broadcast(Dims(left.dims.begin(), left.dims.end() - 2),
                              Dims(right.dims.begin(), right.dims.end() - 2));
  Dims dims = outer;
  if (!row) dims.push_back(left.dims[lead]);
  if (!column) dims.push_back(right.dims.back());
  if (product(right.dims, 0, right_lead) == 1 && lead >= right_lead) {
    right.dims = {right.dims[right_lead], right.dims.back()};
    node.checked_size(dims);
    return node.define(0, multiply(node, left, right, std::move(dims)));
  }
  Dims left_dims = outer;
  Dims right_dims = outer;
  left_dims.insert(left_dims.end(), left.dims.end() - 2, left.dims.end());
  right_dims.insert(right_dims.end(), right.dims.end() - 2, right.dims.end());
  left = node.expanded(left, left_dims);
  right = node.expanded(right, right_dims);
  Tensor out{.dims = std::move(dims), .element = left.element};
  for (std::size_t i = 0; i < product(outer, 0, outer.size()); ++i) {
    const Tensor a = matrix_at(node, left, i);
    const Tensor b = matrix_at(node, right, i);
    const Tensor part = multiply(node, a, b, {a.dims[0], b.dims[1]});
    out.refs.insert(out.refs.end(), part.refs.begin(), part.refs.end());
  }
  node.define(0, std::move(out));
}

/// Known, one for each column.
bool is_row_of_floats(const Tensor& tensor, std::int64_t columns) {
  return tensor.known() && tensor.element == Element::F32 && !tensor.dims.empty() &&
         tensor.dims.back() == columns && tensor.size() == static_cast<std::size_t>(columns);
}

void gemm(NodeLowering& node) {
  Tensor left = node.floats_in(0);
  Tensor right = node.floats_in(1);
  if (left.dims.size() != 2 || right.dims.size() != 2) node.damaged("an operand that is no matrix");
  if (left.element != right.element) node.damaged("operands of different types");
  if (node.integer("transA", 0) != 0) left = node.transposed(left, {1, 0});
  if (node.integer("transB", 0) != 0) right = node.transposed(right, {1, 0});
  if (left.dims[1] != right.dims[0]) {
    node.damaged(fmt::format("{} times {}", text(left.dims), text(right.dims)));
  }
  const Dims dims{left.dims[0], right.dims[1]};
  const float alpha = node.number("alpha", 1);
  const float beta = node.number("beta", 1);
  if (node.has(2) && node.broadcast(dims, node.in(2).dims) != dims) {
    node.damaged("a third operand that is too large");
  }
  if (left.element == Element::F32 && alpha == 1 && beta == 1 && node.has(2) &&
      is_row_of_floats(node.in(2), dims[1])) {
    return node.define(0, multiply(node, left, right, dims, node.in(2).floats()));
  }
  Tensor out = multiply(node, left, right, dims);
  const auto scaled = [&](const Tensor& from, float by) {
    return by == 1 ? from : combine(node, Binary::Mul, from, scalar(from, by));
  };
  out = scaled(out, alpha);
  if (node.has(2)) out = combine(node, Binary::Add, out, scaled(node.in(2), beta));
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> matrix_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Gemm", gemm},
      {"MatMul", mat_mul},
  });
  return operators;
}

}  // namespace kaspar::nodes
