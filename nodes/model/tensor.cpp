#include "nodes/model/tensor.hpp"

#include <fmt/core.h>

namespace kaspar::nodes {

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
