// The last rows that failed, for those who look on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/core/run_snapshot.hpp"

namespace kaspar::engine {

/// Thread-safe. Add a few rows of a batch, not all of them.
class ErrorRows {
 public:
  static constexpr std::size_t kept = 32;
  /// Of a batch; more of them would only push others out.
  static constexpr std::size_t of_a_batch = 8;

  void add(ErrorRow row) noexcept {
    const std::lock_guard lock(mutex_);
    rows_[count_++ % kept] = std::move(row);
  }

  /// The newest first.
  [[nodiscard]] std::vector<ErrorRow> rows() const {
    const std::lock_guard lock(mutex_);
    std::vector<ErrorRow> rows;
    for (std::size_t i = 0; i < kept && i < count_; ++i) {
      rows.push_back(rows_[(count_ - 1 - i) % kept]);
    }
    return rows;
  }

 private:
  mutable std::mutex mutex_;
  std::array<ErrorRow, kept> rows_;
  std::size_t count_ = 0;
};

}  // namespace kaspar::engine
