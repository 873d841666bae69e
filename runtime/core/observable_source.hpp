// Sources that have something to tell while they run.
#pragma once

#include <chrono>

#include "runtime/core/run_snapshot.hpp"

namespace kaspar {

/// A Source may be one, too. Any thread, between its open() and its end.
class ObservableSource {
 public:
  /// What it tells of itself, from what it knows: at once.
  virtual void describe(SourceSnapshot& snapshot) const = 0;
  /// Finds out what describe() tells and only others know; may wait so long. By one thread at a
  /// time. `group`: also who else is in its group.
  virtual void look_around(std::chrono::milliseconds within, bool group) = 0;

 protected:
  ~ObservableSource() = default;
};

}  // namespace kaspar
