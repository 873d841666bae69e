// Notices that nothing of what was read is acknowledged any more: brokers that are away, a row that
// never ends, a defect. Group membership goes on all the while (it is served by the thread that
// reads), so nobody else would notice.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace kaspar::engine {

/// One thread uses it.
class StallWatch {
 public:
  using Clock = std::chrono::steady_clock;

  /// A stall is told after that long, and again each time that it has lasted twice as long.
  StallWatch(std::chrono::milliseconds after, Clock::time_point now)
      : after_(after), next_(after), since_(now) {}

  struct News {
    bool stalled = false;  // false: it goes on again
    std::chrono::milliseconds lasted{0};
  };
  /// `waiting`: batches that were read and are not acknowledged; `finished`: how many ever were.
  [[nodiscard]] std::optional<News> look(Clock::time_point now, std::size_t waiting,
                                         std::uint64_t finished) noexcept;
  /// How often to look.
  [[nodiscard]] std::chrono::milliseconds period() const noexcept { return after_ / 4; }

 private:
  std::chrono::milliseconds after_;
  std::chrono::milliseconds next_;
  Clock::time_point since_;  // the last progress that was seen
  std::uint64_t finished_ = 0;
};

}  // namespace kaspar::engine
