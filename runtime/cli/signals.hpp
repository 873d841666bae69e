// SIGTERM and SIGINT end a run gracefully; a second one ends the process at once.
#pragma once

#include <functional>
#include <thread>

namespace kaspar::cli {

/// Make it before any other thread starts: it blocks SIGTERM and SIGINT in the calling thread,
/// which later threads inherit, and ignores SIGPIPE. A thread of its own waits for the signals.
class SignalWatch {
 public:
  /// `stop` is called in the watch's thread by the first signal; it must not throw. The second one
  /// exits with 128 + its number, as a shell would report it.
  explicit SignalWatch(std::function<void()> stop);
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
  /// Ends the thread; the signals stay blocked.
  ~SignalWatch();

 private:
  std::function<void()> stop_;
  std::jthread thread_;
};

}  // namespace kaspar::cli
