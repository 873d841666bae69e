// Where a kernel finds the elements of a tensor.
#pragma once

#include <cstddef>
#include <vector>

#include "nodes/model/lane_memory.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {

/// First registers of elements: at even distances, as most are, or anywhere.
class Elements {
 public:
  explicit Elements(const std::vector<Register>& refs) : size_(refs.size()) {
    if (refs.empty()) return;
    first_ = refs.front();
    if (refs.size() > 1) step_ = refs[1] - refs[0];  // wraps, as it does on the way back
    for (std::size_t i = 1; i < refs.size(); ++i) {
      if (refs[i] - refs[i - 1] == step_) continue;
      list_ = refs;
      return;
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Register operator[](std::size_t i) const noexcept {
    return list_.empty() ? first_ + static_cast<Register>(i) * step_ : list_[i];
  }
  /// For the kernels of an instruction set; valid as long as this is.
  [[nodiscard]] ElementPlaces places() const noexcept {
    return {list_.empty() ? nullptr : list_.data(), first_, step_};
  }

 private:
  std::size_t size_;
  Register first_ = 0;
  Register step_ = 0;
  std::vector<Register> list_;
};

}  // namespace kaspar::nodes
