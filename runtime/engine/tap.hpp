// A sample of the rows of a stream while it runs, for whoever looks at it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::engine {

/// What is tapped: the rows that leave a chain, those of one arm of its `route`, or the records of
/// a source.
struct TapPoint {
  std::size_t chain = 0;           // that they leave, or that reads the source
  std::optional<std::size_t> arm;  // of the chain's route
  bool of_source = false;
};

/// Rows of one point, as JSON lines, at most so many a second; the others are only counted. It
/// keeps a bounded number of them for whoever does not come. Thread-safe.
class Tap {
 public:
  static constexpr std::size_t most_kept = 1'000;
  static constexpr std::size_t most_bytes = 4u << 20;
  static constexpr std::size_t largest_row = 256u << 10;  // a longer one is cut off
  static constexpr std::size_t rows_a_second = 200;

  Tap(TapPoint point, const ChainPlan& chain) : point_(point), chain_(chain) {}

  [[nodiscard]] const TapPoint& point() const noexcept { return point_; }

  /// A batch passed the point.
  void see(const Batch& batch, std::span<const Row> rows, std::optional<Slot> arm) noexcept;

  /// What was taken since the last call, a line each.
  [[nodiscard]] std::string take();

 private:
  using Clock = std::chrono::steady_clock;

  void append(const Batch& batch, Row row);

  TapPoint point_;
  const ChainPlan& chain_;
  std::mutex mutex_;
  std::string lines_;
  std::size_t kept_ = 0;
  std::uint64_t passed_ = 0;  // rows, since the last line
  Clock::time_point second_ = Clock::now();
  std::size_t in_second_ = 0;
};

/// The taps of a chain. A chain without one only looks at a pointer.
class Taps {
 public:
  [[nodiscard]] bool empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }
  void add(std::shared_ptr<Tap> tap);
  void remove(const Tap* tap) noexcept;
  void see(const Batch& batch, std::span<const Row> rows, std::optional<Slot> arm,
           bool of_source) noexcept;

 private:
  std::atomic<std::size_t> count_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<Tap>> taps_;
};

}  // namespace kaspar::engine
