// The memory that a model's kernels work in: registers of 64 bytes.
//
// Every record is computed as the model would compute a batch of one; `lanes` records run side by
// side. An element of a tensor holds its value for all lanes and takes as many registers as that
// needs, so the answer for a record cannot depend on its neighbours, and a transpose or reshape is
// only another order of elements.
#pragma once

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

namespace kaspar::nodes {

inline constexpr std::size_t lanes = 16;
inline constexpr std::size_t register_bytes = 64;
using Register = std::uint32_t;

/// What a tensor holds. Integers of any width are I64; a Bool is 0.0F or 1.0F.
enum class Element : std::uint8_t { F32, F64, I64, Bool, String };

/// How one lane holds an element: float, double, std::int64_t, std::string_view.
template <class T>
inline constexpr Register registers_of = sizeof(T) * lanes / register_bytes;

[[nodiscard]] constexpr Register registers_for(Element element) noexcept {
  switch (element) {
    case Element::F32:
    case Element::Bool:
      return registers_of<float>;
    case Element::F64:
      return registers_of<double>;
    case Element::I64:
      return registers_of<std::int64_t>;
    case Element::String:
      return registers_of<std::string_view>;
  }
  return 0;
}

[[nodiscard]] constexpr bool is_float(Element element) noexcept {
  return element == Element::F32 || element == Element::F64;
}

/// Calls `with(T{})`, T being what a lane holds of that element.
template <class With>
decltype(auto) with_lane_type(Element element, With&& with) {
  switch (element) {
    case Element::F64:
      return with(double{});
    case Element::I64:
      return with(std::int64_t{});
    case Element::String:
      return with(std::string_view{});
    case Element::F32:
    case Element::Bool:
      break;
  }
  return with(float{});
}

template <class T>
using Lane = Eigen::Array<T, static_cast<int>(lanes), 1>;
template <class T>
using LaneMap = Eigen::Map<Lane<T>, Eigen::Aligned64>;

/// A thread's registers. Does not own them.
class LaneMemory {
 public:
  explicit LaneMemory(std::byte* base, std::size_t active = lanes) noexcept
      : base_(base), active_(active) {}

  /// Only so many of the first lanes hold records; what becomes of the others does not matter.
  [[nodiscard]] std::size_t active() const noexcept { return active_; }

  /// The lanes of the element whose first register that is.
  template <class T>
  [[nodiscard]] T* lanes_at(std::size_t first) const noexcept {
    return reinterpret_cast<T*>(base_ + first * register_bytes);
  }
  template <class T>
  [[nodiscard]] LaneMap<T> at(std::size_t first) const noexcept {
    return LaneMap<T>(lanes_at<T>(first));
  }

  /// Register 0: of each lane 0, or the number of what failed, counted from 1. The first one stays.
  void fail(std::size_t lane, std::int32_t reason) const noexcept {
    auto& failed = lanes_at<std::int32_t>(0)[lane];
    if (failed == 0) failed = reason;
  }
  [[nodiscard]] std::int32_t failure(std::size_t lane) const noexcept {
    return lanes_at<std::int32_t>(0)[lane];
  }

 private:
  std::byte* base_;
  std::size_t active_;
};

}  // namespace kaspar::nodes
