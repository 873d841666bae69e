#include "runtime/engine/stall_watch.hpp"

#include <utility>

namespace kaspar::engine {

std::optional<StallWatch::News> StallWatch::look(Clock::time_point now, std::size_t waiting,
                                                 std::uint64_t finished) noexcept {
  const auto lasted = std::chrono::duration_cast<std::chrono::milliseconds>(now - since_);
  if (waiting == 0 || finished != finished_) {
    finished_ = finished;
    since_ = now;
    if (std::exchange(next_, after_) == after_) return std::nullopt;
    return News{.stalled = false, .lasted = lasted};
  }
  if (lasted < next_) return std::nullopt;
  next_ *= 2;
  return News{.stalled = true, .lasted = lasted};
}

}  // namespace kaspar::engine
