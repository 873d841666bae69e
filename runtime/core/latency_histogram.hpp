// How long things took, by the buckets that monitoring systems count in.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kaspar {

/// Upper bounds of the buckets, in seconds; what took longer is in one more.
inline constexpr std::array<double, 19> latency_bounds{
    0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
    0.5,     1,      2.5,   5,      10,    30,   60,    300,  900};

/// What a LatencyHistogram held at one moment.
struct LatencyCounts {
  std::array<std::uint64_t, latency_bounds.size() + 1> buckets{};  // each by itself
  double sum = 0;                                                  // seconds

  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t total = 0;
    for (const std::uint64_t bucket : buckets) total += bucket;
    return total;
  }
  /// What was added since `earlier`, an earlier state of the same histogram.
  [[nodiscard]] LatencyCounts since(const LatencyCounts& earlier) const noexcept {
    LatencyCounts added{.sum = sum - earlier.sum};
    for (std::size_t i = 0; i < buckets.size(); ++i) {
      added.buckets[i] = buckets[i] - earlier.buckets[i];
    }
    return added;
  }
  /// The duration, in seconds, that the share `q` of all did not exceed, interpolated within its
  /// bucket; negative where nothing was counted.
  [[nodiscard]] double quantile(double q) const noexcept {
    const auto total = static_cast<double>(count());
    if (total == 0) return -1;
    double below = 0;
    for (std::size_t i = 0; i < latency_bounds.size(); ++i) {
      const auto here = static_cast<double>(buckets[i]);
      if (below + here >= q * total && here > 0) {
        const double low = i == 0 ? 0 : latency_bounds[i - 1];
        return low + (latency_bounds[i] - low) * (q * total - below) / here;
      }
      below += here;
    }
    return latency_bounds.back();
  }
};

/// Any thread adds, any thread reads. Counted once a batch, never once a record.
class LatencyHistogram {
 public:
  void add(std::chrono::nanoseconds duration) noexcept {
    const auto nanoseconds = duration.count() > 0 ? duration.count() : 0;
    const double seconds = static_cast<double>(nanoseconds) * 1e-9;
    std::size_t bucket = 0;
    while (bucket < latency_bounds.size() && seconds > latency_bounds[bucket]) ++bucket;
    buckets_[bucket].fetch_add(1, std::memory_order_relaxed);
    sum_.fetch_add(static_cast<std::uint64_t>(nanoseconds), std::memory_order_relaxed);
  }

  [[nodiscard]] LatencyCounts counts() const noexcept {
    LatencyCounts counts{.sum = static_cast<double>(sum_.load(std::memory_order_relaxed)) * 1e-9};
    for (std::size_t i = 0; i < buckets_.size(); ++i) {
      counts.buckets[i] = buckets_[i].load(std::memory_order_relaxed);
    }
    return counts;
  }

 private:
  std::array<std::atomic<std::uint64_t>, latency_bounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> sum_{0};  // nanoseconds
};

}  // namespace kaspar
