// Whether a run can make progress: brokers that are away are no reason why it could not.
#pragma once

#include <chrono>
#include <cstdint>

#include "runtime/core/run_snapshot.hpp"

namespace kaspar::observe {

/// One thread at a time.
class Liveness {
 public:
  using Clock = std::chrono::steady_clock;

  /// A thread that reads must be seen once in `patience`, and what is computed must end in that.
  explicit Liveness(std::chrono::milliseconds patience, Clock::time_point now)
      : patience_(patience), since_(now) {}

  /// Whether it is alive, by what is seen now.
  [[nodiscard]] bool look(const RunSnapshot& now, Clock::time_point at) noexcept {
    if (now.computing == 0 || now.computed != computed_) since_ = at;
    computed_ = now.computed;
    if (!now.opened || now.draining) return true;  // either has its own deadline
    return at - since_ < patience_ && now.driver_idle < patience_;
  }

 private:
  std::chrono::milliseconds patience_;
  Clock::time_point since_;  // the last end of some work, or nothing to do
  std::uint64_t computed_ = 0;
};

}  // namespace kaspar::observe
