// Elements at places that the records compute.
#include <fmt/core.h>

#include <type_traits>
#include <utility>
#include <vector>

#include "nodes/model/elements.hpp"
#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {
namespace {

/// out[o, p, i] = from[o, places[p], i]
template <class T>
class PickKernel final : public Kernel {
 public:
  PickKernel(const Tensor& from, const Tensor& places, const Tensor& out, std::size_t count,
             std::size_t inner, std::int32_t outside)
      : from_(from.refs),
        places_(places.refs),
        out_(out.refs),
        count_(count),
        inner_(inner),
        outside_(outside) {}
  void run(LaneMemory memory) const noexcept override {
    for (std::size_t o = 0; o < out_.size(); ++o) {
      const std::size_t inner = o % inner_;
      const std::size_t place = o / inner_ % places_.size();
      const std::size_t outer = o / inner_ / places_.size();
      const std::int64_t* at = memory.lanes_at<std::int64_t>(places_[place]);
      T* out = memory.lanes_at<T>(out_[o]);
      const auto limit = static_cast<std::int64_t>(count_);
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        std::int64_t index = at[lane] < 0 ? at[lane] + limit : at[lane];
        if (index < 0 || index >= limit) {
          memory.fail(lane, outside_);
          index = 0;
        }
        const std::size_t from =
            (outer * count_ + static_cast<std::size_t>(index)) * inner_ + inner;
        out[lane] = memory.lanes_at<T>(from_[from])[lane];
      }
    }
  }

 private:
  Elements from_, places_, out_;
  std::size_t count_, inner_;
  std::int32_t outside_;
};

}  // namespace

Tensor NodeLowering::picked(const Tensor& from, std::size_t axis, const Tensor& places, Dims dims) {
  const auto count = static_cast<std::size_t>(from.dims[axis]);
  const std::size_t outer = product(from.dims, 0, axis);
  const std::size_t inner = product(from.dims, axis + 1, from.dims.size());
  if (places.known()) {
    Order order;
    order.reserve(checked_size(dims));
    for (std::size_t o = 0; o < outer; ++o) {
      for (const std::int64_t index : places.ints()) {
        const auto limit = static_cast<std::int64_t>(count);
        if (index < -limit || index >= limit) damaged(fmt::format("index {} of {}", index, count));
        const auto at = static_cast<std::size_t>(index < 0 ? index + limit : index);
        for (std::size_t i = 0; i < inner; ++i) {
          order.push_back(static_cast<std::uint32_t>((o * count + at) * inner + i));
        }
      }
    }
    return ordered(from, std::move(dims), order);
  }
  if (count == 0) damaged("an index into nothing");
  const Tensor held = in_registers(from);
  const Tensor out = new_tensor(std::move(dims), from.element);
  const std::int32_t outside =
      failure(fmt::format("`{}` picks a place that is none of {}", op(), count));
  with_lane_type(from.element, [&]<class T>(T) {
    emit<PickKernel<T>>(held, places, out, count, inner == 0 ? 1 : inner, outside);
  });
  return out;
}

}  // namespace kaspar::nodes
