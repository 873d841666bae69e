// A tensor of the model while it is compiled.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "nodes/model/program.hpp"

namespace kaspar::nodes {

using Dims = std::vector<std::int64_t>;
using Order = std::vector<std::uint32_t>;  // of elements: place i of the result is place order[i]

/// Known, or the registers of its elements, row-major.
struct Tensor {
  Dims dims;
  bool integer = false;
  bool known = false;
  std::vector<float> floats;       // known, not integer
  std::vector<std::int64_t> ints;  // known, integer
  std::vector<Register> refs;      // not known

  [[nodiscard]] std::size_t size() const {
    return !known ? refs.size() : integer ? ints.size() : floats.size();
  }
  [[nodiscard]] double number(std::size_t i) const {
    return integer ? static_cast<double>(ints[i]) : static_cast<double>(floats[i]);
  }
};

/// "[2,3]"
[[nodiscard]] std::string text(const Dims& dims);
/// How far apart neighbours along each dimension lie, row-major.
[[nodiscard]] Dims strides_of(const Dims& dims);
/// Elements of the dimensions [from, to).
[[nodiscard]] std::size_t product(const Dims& dims, std::size_t from, std::size_t to) noexcept;

}  // namespace kaspar::nodes
