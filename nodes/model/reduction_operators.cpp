// Operators that take whole dimensions together: sums, means, extremes and their places.
#include "nodes/model/reduction_operators.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>
#include <vector>

#include "nodes/model/elements.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

/// out[i] = all of from[i * count] .. from[i * count + count - 1] in one
template <class T, class Function>
class ReduceKernel final : public Kernel {
 public:
  ReduceKernel(const Tensor& from, const Tensor& out, std::size_t count, Function function)
      : from_(from.refs), out_(out.refs), count_(count), function_(std::move(function)) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      Lane<T> all = memory.at<T>(from_[i * count_]);
      for (std::size_t k = 1; k < count_; ++k) {
        function_(all, memory.at<T>(from_[i * count_ + k]));
      }
      memory.at<T>(out_[i]) = all;
    }
  }

 private:
  Elements from_, out_;
  std::size_t count_;
  Function function_;
};

/// The place of the first (or last) largest, over the middle axis of [outer, count, inner].
template <class T>
class ArgMaxKernel final : public Kernel {
 public:
  ArgMaxKernel(const Tensor& from, const Tensor& out, std::size_t count, std::size_t inner,
               bool last, bool least)
      : from_(from.refs),
        out_(out.refs),
        count_(count),
        inner_(inner),
        last_(last),
        least_(least) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < out_.size(); ++i) {
      const std::size_t base = i / inner_ * count_ * inner_ + i % inner_;
      std::int64_t* place = memory.lanes_at<std::int64_t>(out_[i]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        T best = memory.lanes_at<T>(from_[base])[lane];
        std::int64_t at = 0;
        for (std::size_t k = 1; k < count_; ++k) {
          const T value = memory.lanes_at<T>(from_[base + k * inner_])[lane];
          if ((least_ ? value < best : value > best) || (last_ && value == best)) {
            best = value;
            at = static_cast<std::int64_t>(k);
          }
        }
        place[lane] = at;
      }
    }
  }

 private:
  Elements from_, out_;
  std::size_t count_, inner_;
  bool last_, least_;
};

template <class T, class Function>
void emit_reduce(NodeLowering& node, const Tensor& from, const Tensor& out, std::size_t count,
                 Function function) {
  node.emit<ReduceKernel<T, Function>>(from, out, count, std::move(function));
}

template <class T>
void emit_reduction(NodeLowering& node, Reduction function, const Tensor& from, const Tensor& out,
                    std::size_t count) {
  switch (function) {
    case Reduction::Sum:
    case Reduction::Mean:
      return emit_reduce<T>(node, from, out, count, [](auto& all, const auto& x) {
        if constexpr (std::is_integral_v<T>) {
          all = (all.template cast<std::uint64_t>() + x.template cast<std::uint64_t>())
                    .template cast<T>();
        } else {
          all += x;
        }
      });
    case Reduction::Product:
      return emit_reduce<T>(node, from, out, count, [](auto& all, const auto& x) {
        if constexpr (std::is_integral_v<T>) {
          all = (all.template cast<std::uint64_t>() * x.template cast<std::uint64_t>())
                    .template cast<T>();
        } else {
          all *= x;
        }
      });
    case Reduction::Max:  // NaN wins, as in ONNX
      return emit_reduce<T>(node, from, out, count, [](auto& all, const auto& x) {
        all = (x > all || x != x).select(x, all);
      });
    case Reduction::Min:
      return emit_reduce<T>(node, from, out, count, [](auto& all, const auto& x) {
        all = (x < all || x != x).select(x, all);
      });
  }
}

}  // namespace

Tensor reduced(NodeLowering& node, Reduction function, const Tensor& from, const Axes& gone,
               bool keep) {
  if (from.element == Element::Bool || from.element == Element::String) {
    node.unsupported("on this type");
  }
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
  const Tensor source = node.in_registers(node.transposed(from, order));
  const Tensor out = node.new_tensor(std::move(dims), from.element);
  with_lane_type(from.element, [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, std::string_view>) {
      emit_reduction<T>(node, function, source, out, count);
    }
  });
  if (function != Reduction::Mean) return out;
  return combine(node, Binary::Div, out, scalar(out, static_cast<double>(count)));
}

namespace {

void reduce(NodeLowering& node) {
  static const std::map<std::string_view, Reduction> functions{
      {"ReduceL1", Reduction::Sum},     {"ReduceL2", Reduction::Sum},
      {"ReduceLogSum", Reduction::Sum}, {"ReduceLogSumExp", Reduction::Sum},
      {"ReduceMax", Reduction::Max},    {"ReduceMean", Reduction::Mean},
      {"ReduceMin", Reduction::Min},    {"ReduceProd", Reduction::Product},
      {"ReduceSum", Reduction::Sum},    {"ReduceSumSquare", Reduction::Sum},
  };
  Tensor from = node.in(0);
  node.charge(from.size());
  const Dims axes = node.integers("axes", 1);
  const bool all = axes.empty() && node.integer("noop_with_empty_axes", 0) == 0;
  Axes gone(from.dims.size(), all);
  for (const std::int64_t axis : axes) gone[node.axis_of(axis, from.dims.size())] = true;
  const bool keep = node.integer("keepdims", 1) != 0;
  const std::string& op = node.op();
  if (op == "ReduceL1") from = apply_unary(node, Unary::Abs, from);
  if (op == "ReduceL2" || op == "ReduceSumSquare") from = combine(node, Binary::Mul, from, from);
  Tensor largest;
  if (op == "ReduceLogSumExp") {  // exp of what is at most 0 does not overflow
    largest = reduced(node, Reduction::Max, from, gone, true);
    from = apply_unary(node, Unary::Exp, combine(node, Binary::Sub, from, largest));
  }
  Tensor out = reduced(node, functions.at(op), from, gone, keep);
  if (op == "ReduceL2") out = apply_unary(node, Unary::Sqrt, out);
  if (op == "ReduceLogSum") out = apply_unary(node, Unary::Log, out);
  if (op == "ReduceLogSumExp") {
    out = combine(node, Binary::Add, apply_unary(node, Unary::Log, out),
                  node.reshaped(largest, out.dims));
  }
  node.define(0, std::move(out));
}

void global_pool(NodeLowering& node) {
  const Tensor& from = node.floats_in(0);
  Axes gone(from.dims.size(), true);
  for (std::size_t d = 0; d < std::min<std::size_t>(2, gone.size()); ++d) gone[d] = false;
  const Reduction function = node.op() == "GlobalAveragePool" ? Reduction::Mean : Reduction::Max;
  node.define(0, reduced(node, function, from, gone, true));
}

void arg_max(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t axis = node.axis_of(node.integer("axis", 0), from.dims.size());
  if (from.size() == 0 || from.element == Element::String) node.unsupported("on this tensor");
  node.charge(from.size());
  Dims dims = from.dims;
  dims[axis] = 1;
  if (node.integer("keepdims", 1) == 0) {
    dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axis));
  }
  const Tensor out = node.new_tensor(std::move(dims), Element::I64);
  const Tensor source = node.in_registers(from);
  with_lane_type(from.element, [&]<class T>(T) {
    node.emit<ArgMaxKernel<T>>(source, out, static_cast<std::size_t>(from.dims[axis]),
                               product(from.dims, axis + 1, from.dims.size()),
                               node.integer("select_last_index", 0) != 0, node.op() == "ArgMin");
  });
  node.define(0, out);
}

}  // namespace

std::span<const NamedOperator> reduction_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ArgMax", arg_max},
      {"ArgMin", arg_max},
      {"GlobalAveragePool", global_pool},
      {"GlobalMaxPool", global_pool},
      {"ReduceL1", reduce},
      {"ReduceL2", reduce},
      {"ReduceLogSum", reduce},
      {"ReduceLogSumExp", reduce},
      {"ReduceMax", reduce},
      {"ReduceMean", reduce},
      {"ReduceMin", reduce},
      {"ReduceProd", reduce},
      {"ReduceSum", reduce},
      {"ReduceSumSquare", reduce},
  });
  return operators;
}

}  // namespace kaspar::nodes
