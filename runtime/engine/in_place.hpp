// Whether a batch is computed where it was read: to wake another thread takes longer than a little
// work does, and the records are still in cache.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "runtime/core/record.hpp"

namespace kaspar::engine {

/// Learns how many rows take less than `at_most`. Of one lane, for the thread that reads it.
class InPlace {
 public:
  using Duration = std::chrono::steady_clock::duration;

  [[nodiscard]] bool takes(std::size_t rows) const noexcept { return rows <= rows_; }

  /// So many rows, that it took, took so long.
  void took(std::size_t rows, Duration duration) noexcept {
    if (duration > at_most) {
      rows_ = std::max<std::size_t>(1, rows_ / 2);
    } else if (duration < at_most / 2 && rows > rows_ / 2) {
      rows_ = std::min(max_batch_records, rows_ * 2);
    }
  }

 private:
  static constexpr Duration at_most = std::chrono::microseconds{200};

  std::size_t rows_ = 16;
};

}  // namespace kaspar::engine
