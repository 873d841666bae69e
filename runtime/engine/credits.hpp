// The only backpressure of a run: how many batches, and how many bytes of them, may be in flight.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace kaspar::engine {

/// A semaphore of batches and bytes. Thread-safe.
class Credits {
 public:
  /// Both limits are at least 1.
  Credits(std::size_t batches, std::size_t bytes) : batches_(batches), bytes_(bytes) {}

  /// Takes credit for one batch of that many bytes, waiting at most that long. One that exceeds
  /// the byte limit by itself is admitted when nothing else is in flight.
  [[nodiscard]] bool reserve(std::size_t bytes, std::chrono::milliseconds within);

  /// Corrects a reservation to what the batch really takes; more than was reserved is taken too
  /// (a first record is read however large it is), and holds back the next reservation.
  void adjust(std::size_t reserved, std::size_t used);

  /// Gives a batch's credit back.
  void release(std::size_t bytes);

  [[nodiscard]] std::size_t batches_in_flight() const;
  [[nodiscard]] std::size_t bytes_in_flight() const;

 private:
  const std::size_t batches_;
  const std::size_t bytes_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::size_t used_batches_ = 0;
  std::size_t used_bytes_ = 0;
};

}  // namespace kaspar::engine
