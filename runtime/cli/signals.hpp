// SIGTERM and SIGINT end a run gracefully; a second one ends the process at once.
#pragma once

#include <atomic>
#include <chrono>
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

  /// A process that has not ended so long after the first signal is ended by force, with
  /// ExitStatus::Failed and a line that says so: a call that cannot be interrupted keeps it, such
  /// as a commit that waits for brokers that are away. Any thread.
  void end_within(std::chrono::milliseconds time) noexcept { longest_ = time.count(); }

 private:
  std::function<void()> stop_;
  std::atomic<std::chrono::milliseconds::rep> longest_{0};  // 0: it may take for ever
  std::jthread thread_;
};

}  // namespace kaspar::cli
