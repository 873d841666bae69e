// A tensor of the model while it is compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "nodes/model/lane_memory.hpp"

namespace kaspar::nodes {

using Dims = std::vector<std::int64_t>;
inline constexpr std::size_t most_dimensions = 16;  // of any tensor
using Order = std::vector<std::uint32_t>;  // of elements: place i of the result is place order[i]

/// By storage: F32 and Bool, F64, I64, String.
using Values = std::variant<std::vector<float>, std::vector<double>, std::vector<std::int64_t>,
                            std::vector<std::string>>;

/// What the places of a classifier's scores are called; all strings, or all integers.
struct Classes {
  std::vector<std::string> names;
  std::vector<std::int64_t> numbers;
  [[nodiscard]] std::size_t size() const { return names.empty() ? numbers.size() : names.size(); }
  [[nodiscard]] bool empty() const { return size() == 0; }
};

/// Known, or the first registers of its elements, row-major. Copies share the known values.
struct Tensor {
  Dims dims;
  Element element = Element::F32;
  std::shared_ptr<const Values> held = nullptr;  // null: not known
  std::vector<Register> refs = {};               // not known
  std::shared_ptr<const Classes> classes = nullptr;

  [[nodiscard]] bool known() const { return held != nullptr; }
  [[nodiscard]] std::size_t size() const {
    return !known() ? refs.size() : std::visit([](const auto& all) { return all.size(); }, *held);
  }
  /// Of a known one, by what a lane holds of the element: float, double, std::int64_t, strings.
  template <class T>
  [[nodiscard]] const auto& values() const {
    using Held = std::conditional_t<std::is_same_v<T, std::string_view>, std::string, T>;
    return std::get<std::vector<Held>>(*held);
  }
  [[nodiscard]] const std::vector<float>& floats() const { return values<float>(); }
  [[nodiscard]] const std::vector<std::int64_t>& ints() const { return values<std::int64_t>(); }
  [[nodiscard]] bool integer() const { return element == Element::I64; }
};

template <class T>
[[nodiscard]] Tensor known_tensor(Dims dims, Element element, std::vector<T> values) {
  return {.dims = std::move(dims),
          .element = element,
          .held = std::make_shared<const Values>(std::move(values))};
}
[[nodiscard]] inline Tensor known_floats(Dims dims, std::vector<float> values) {
  return known_tensor(std::move(dims), Element::F32, std::move(values));
}
[[nodiscard]] inline Tensor known_ints(Dims dims, std::vector<std::int64_t> values) {
  return known_tensor(std::move(dims), Element::I64, std::move(values));
}
/// A number of that element, without dimensions.
[[nodiscard]] Tensor known_number(Element element, double value);
/// Known numbers as that element: truncated to integers, rounded to floats, compared with zero to
/// Bool. What no integer holds becomes the nearest that one does; NaN 0.
[[nodiscard]] Tensor converted(const Tensor& from, Element to);

/// "[2,3]"
[[nodiscard]] std::string text(const Dims& dims);
/// How far apart neighbours along each dimension lie, row-major.
[[nodiscard]] Dims strides_of(const Dims& dims);
/// Elements of the dimensions [from, to).
[[nodiscard]] std::size_t product(const Dims& dims, std::size_t from, std::size_t to) noexcept;

}  // namespace kaspar::nodes
