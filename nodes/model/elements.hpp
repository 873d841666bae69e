// Where a kernel finds the elements of a tensor.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "nodes/model/lane_memory.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {

/// First registers of elements: at even distances, as most are, or anywhere. Small: a model may
/// have a million nodes.
class Elements {
 public:
  explicit Elements(const std::vector<Register>& refs)
      : size_(static_cast<std::uint32_t>(refs.size())) {
    if (refs.empty()) return;
    first_ = refs.front();
    if (refs.size() > 1) step_ = refs[1] - refs[0];  // wraps, as it does on the way back
    for (std::size_t i = 1; i < refs.size(); ++i) {
      if (refs[i] - refs[i - 1] == step_) continue;
      list_ = std::make_unique_for_overwrite<Register[]>(refs.size());
      std::ranges::copy(refs, list_.get());
      return;
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] Register operator[](std::size_t i) const noexcept {
    return list_ == nullptr ? first_ + static_cast<Register>(i) * step_ : list_[i];
  }
  /// For the kernels of an instruction set; valid as long as this is.
  [[nodiscard]] ElementPlaces places() const noexcept { return {list_.get(), first_, step_}; }

 private:
  std::unique_ptr<Register[]> list_;
  std::uint32_t size_;
  Register first_ = 0;
  Register step_ = 0;
};

}  // namespace kaspar::nodes
