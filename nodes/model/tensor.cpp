#include "nodes/model/tensor.hpp"

#include <fmt/core.h>

#include <cmath>
#include <limits>

namespace kaspar::nodes {
namespace {

template <class To, class From>
To convert(From value) {
  if constexpr (std::is_same_v<To, std::int64_t> && std::is_floating_point_v<From>) {
    constexpr double limit = 9223372036854775808.0;
    const auto wide = static_cast<double>(value);
    if (std::isnan(wide)) return 0;
    if (wide >= limit) return std::numeric_limits<std::int64_t>::max();
    if (wide < -limit) return std::numeric_limits<std::int64_t>::min();
  }
  return static_cast<To>(value);
}

}  // namespace

Tensor known_number(Element element, double value) {
  return converted(known_tensor({}, Element::F64, std::vector<double>{value}), element);
}

Tensor converted(const Tensor& from, Element to) {
  if (from.element == to || from.element == Element::String || to == Element::String) return from;
  return with_lane_type(from.element, [&]<class From>(From) -> Tensor {
    if constexpr (std::is_same_v<From, std::string_view>) {
      return from;
    } else {
      const std::vector<From>& values = from.values<From>();
      return with_lane_type(to, [&]<class To>(To) -> Tensor {
        if constexpr (std::is_same_v<To, std::string_view>) {
          return from;
        } else {
          std::vector<To> made;
          made.reserve(values.size());
          for (const From value : values) {
            made.push_back(to == Element::Bool ? static_cast<To>(value != 0) : convert<To>(value));
          }
          return known_tensor(from.dims, to, std::move(made));
        }
      });
    }
  });
}

std::string text(const Dims& dims) {
  std::string out = "[";
  for (std::size_t i = 0; i < dims.size(); ++i) {
    out += fmt::format("{}{}", i == 0 ? "" : ",", dims[i]);
  }
  return out + "]";
}

Dims strides_of(const Dims& dims) {
  Dims strides(dims.size(), 1);
  for (std::size_t d = dims.size(); d-- > 1;) strides[d - 1] = strides[d] * dims[d];
  return strides;
}

std::size_t product(const Dims& dims, std::size_t from, std::size_t to) noexcept {
  std::size_t size = 1;
  for (std::size_t i = from; i < to; ++i) size *= static_cast<std::size_t>(dims[i]);
  return size;
}

}  // namespace kaspar::nodes
