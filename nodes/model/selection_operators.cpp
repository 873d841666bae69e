// Operators that find elements by their order or by places of their own, and running sums.
#include <fmt/core.h>

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include "nodes/model/elements.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

/// The first `most` in order along the middle axis of [outer, count, inner], and their places; of
/// equal ones the earlier comes first.
template <class T>
class TopKernel final : public Kernel {
 public:
  TopKernel(const Tensor& from, const Tensor& values, const Tensor& places, std::size_t count,
            std::size_t most, std::size_t inner, bool largest)
      : from_(from.refs),
        values_(values.refs),
        places_(places.refs),
        count_(count),
        most_(most),
        inner_(inner),
        largest_(largest) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t i = 0; i < values_.size() / most_; ++i) {
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        one(memory, i / inner_, i % inner_, lane);
      }
    }
  }

 private:
  void one(LaneMemory memory, std::size_t outer, std::size_t inner,
           std::size_t lane) const noexcept {
    const auto at = [&](std::size_t k) { return (outer * most_ + k) * inner_ + inner; };
    const auto value = [&](std::size_t k) -> T& {
      return memory.lanes_at<T>(values_[at(k)])[lane];
    };
    const auto place = [&](std::size_t k) -> std::int64_t& {
      return memory.lanes_at<std::int64_t>(places_[at(k)])[lane];
    };
    const auto before = [&](T a, T b) { return largest_ ? a > b : a < b; };
    std::size_t held = 0;
    for (std::size_t i = 0; i < count_; ++i) {
      const T x = memory.lanes_at<T>(from_[(outer * count_ + i) * inner_ + inner])[lane];
      if (held == most_ && !before(x, value(most_ - 1))) continue;
      std::size_t k = held < most_ ? held++ : most_ - 1;
      for (; k > 0 && before(x, value(k - 1)); --k) {
        value(k) = value(k - 1);
        place(k) = place(k - 1);
      }
      value(k) = x;
      place(k) = static_cast<std::int64_t>(i);
    }
  }

  Elements from_, values_, places_;
  std::size_t count_, most_, inner_;
  bool largest_;
};

void top_k(NodeLowering& node) {
  const Tensor& from = node.in(0);
  if (from.element == Element::String || from.element == Element::Bool) {
    node.unsupported("on this type");
  }
  const std::size_t rank = from.dims.size();
  const std::size_t axis = node.axis_of(node.integer("axis", -1), rank);
  std::int64_t most = node.integer("k", -1);
  if (node.has(1)) {
    const Dims given = node.known_integers(1);
    if (given.size() != 1) node.damaged("a number of elements that is none");
    most = given[0];
  }
  if (most < 0 || most > from.dims[axis]) node.damaged(fmt::format("the first {}", most));
  Dims dims = from.dims;
  dims[axis] = most;
  node.charge(from.size() * static_cast<std::size_t>(most));  // the work of each record
  const Tensor held = node.in_registers(from);
  const Tensor values = node.new_tensor(dims, from.element);
  const Tensor places = node.new_tensor(dims, Element::I64);
  if (!values.refs.empty()) {
    with_lane_type(from.element, [&]<class T>(T) {
      if constexpr (!std::is_same_v<T, std::string_view>) {
        node.emit<TopKernel<T>>(held, values, places, static_cast<std::size_t>(from.dims[axis]),
                                static_cast<std::size_t>(most), product(dims, axis + 1, rank),
                                node.integer("largest", 1) != 0);
      }
    });
  }
  node.define(0, values);
  node.define(1, places);
}

/// out[i] = from[i, but places[i] along the axis]
template <class T>
class PlacedKernel final : public Kernel {
 public:
  /// `bases`: for each element of the output its place in `from`, were it the axis' first.
  PlacedKernel(const Tensor& from, const Tensor& places, const Tensor& out, Order bases,
               std::size_t count, std::size_t stride, std::int32_t outside)
      : from_(from.refs),
        places_(places.refs),
        out_(out.refs),
        bases_(std::move(bases)),
        count_(static_cast<std::int64_t>(count)),
        stride_(stride),
        outside_(outside) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t o = 0; o < out_.size(); ++o) {
      const std::int64_t* at = memory.lanes_at<std::int64_t>(places_[o]);
      T* out = memory.lanes_at<T>(out_[o]);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        std::int64_t index = at[lane] < 0 ? at[lane] + count_ : at[lane];
        if (index < 0 || index >= count_) {
          memory.fail(lane, outside_);
          index = 0;
        }
        const std::size_t from = bases_[o] + static_cast<std::size_t>(index) * stride_;
        out[lane] = memory.lanes_at<T>(from_[from])[lane];
      }
    }
  }

 private:
  Elements from_, places_, out_;
  Order bases_;
  std::int64_t count_;
  std::size_t stride_;
  std::int32_t outside_;
};

void gather_elements(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Tensor& places = node.in(1);
  const std::size_t axis = node.axis_of(node.integer("axis", 0), from.dims.size());
  if (!places.integer() || places.dims.size() != from.dims.size()) {
    node.damaged("places that do not fit");
  }
  for (std::size_t d = 0; d < from.dims.size(); ++d) {
    if (d != axis && places.dims[d] > from.dims[d]) node.damaged("places that do not fit");
  }
  if (from.dims[axis] == 0 && places.size() != 0) node.damaged("a place in nothing");
  Dims strides = strides_of(from.dims);
  const auto stride = static_cast<std::size_t>(strides[axis]);
  strides[axis] = 0;
  const Tensor held = node.in_registers(from);
  const Tensor at = node.in_registers(places);
  const Tensor out = node.new_tensor(places.dims, from.element);
  const std::int32_t outside = node.failure(
      fmt::format("`{}` picks a place that is none of {}", node.op(), from.dims[axis]));
  with_lane_type(from.element, [&]<class T>(T) {
    node.emit<PlacedKernel<T>>(held, at, out, node.walk(places.dims, strides),
                               static_cast<std::size_t>(from.dims[axis]), stride, outside);
  });
  node.define(0, out);
}

constexpr std::size_t step_elements = 64;  // of a kernel, whatever it adds

/// Sums of all up to each along an axis; without itself if `exclusive`.
void running_sum(NodeLowering& node) {
  const Tensor from = node.in_registers(node.in(0));
  const Dims given = node.known_integers(1);
  if (given.size() != 1) node.damaged("an axis that is none");
  const std::size_t axis = node.axis_of(given[0], from.dims.size());
  const bool exclusive = node.integer("exclusive", 0) != 0;
  const bool reverse = node.integer("reverse", 0) != 0;
  const std::int64_t count = from.dims[axis];
  const Dims strides = strides_of(from.dims);
  Dims slice = from.dims;
  slice[axis] = 1;
  Tensor sum = node.expanded(node.in_registers(scalar(from, 0)), slice);
  Tensor out{.dims = from.dims, .element = from.element};
  out.refs.resize(from.refs.size());
  node.charge(static_cast<std::size_t>(count), step_elements);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t at = (reverse ? count - 1 - i : i) * strides[axis];
    const Order order = node.walk(slice, strides, at);
    const Tensor next = combine(node, Binary::Add, sum, node.ordered(from, slice, order));
    const Tensor& here = exclusive ? sum : next;
    for (std::size_t e = 0; e < order.size(); ++e) out.refs[order[e]] = here.refs[e];
    sum = next;
  }
  node.define(0, std::move(out));
}

}  // namespace

std::span<const NamedOperator> selection_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"CumSum", running_sum},
      {"GatherElements", gather_elements},
      {"TopK", top_k},
  });
  return operators;
}

}  // namespace kaspar::nodes
