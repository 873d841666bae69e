// Whether a batch is computed where it was read: to wake another thread takes longer than a little
// work does, and the records are still in cache.
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "runtime/core/record.hpp"

namespace kaspar::engine {

/// Learns how many rows take less than `at_most` of CPU time, which is how long the next batch has
/// to wait. Of one lane, for the thread that reads it.
class InPlace {
 public:
  using Duration = std::chrono::nanoseconds;

  /// CPU time of this thread: others that want the CPU make no batch large.
  [[nodiscard]] static Duration now() noexcept {
    timespec spent{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    return std::chrono::seconds{spent.tv_sec} + Duration{spent.tv_nsec};
  }

  /// One that is larger is tried now and then, for under load all are: soon at first, and rarely
  /// once that took too long.
  [[nodiscard]] bool takes(std::size_t rows) noexcept {
    if (rows > rows_ && ++refused_ < patience_) return false;
    refused_ = 0;
    return true;
  }

  /// Whether the duration of a batch that it took is asked for: that of one that is far from large
  /// only now and then, for it takes the kernel a microsecond to tell.
  [[nodiscard]] bool measures(std::size_t rows) noexcept {
    return 4 * rows > rows_ || unmeasured_++ % most_unmeasured == 0;
  }

  /// So many rows, that it took, took so long.
  void took(std::size_t rows, Duration duration) noexcept {
    if (duration > at_most) {
      unmeasured_ = 0;  // the next one is measured too
      if (rows > rows_) patience_ = std::min(2 * patience_, most_patience);
      if (rows <= rows_) rows_ /= 2;
    } else {
      const std::size_t seen = duration < at_most / 2 ? rows * 2 : rows;
      rows_ = std::max(rows_, std::min(max_batch_records, seen));
    }
  }

 private:
  static constexpr Duration at_most = std::chrono::milliseconds{1};
  static constexpr std::size_t most_patience = 64;
  static constexpr std::size_t most_unmeasured = 16;

  std::size_t rows_ = 16;
  std::size_t refused_ = 0;
  std::size_t patience_ = 2;  // refusals before a trial
  std::size_t unmeasured_ = 0;
};

}  // namespace kaspar::engine
