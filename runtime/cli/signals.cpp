#include "runtime/cli/signals.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <optional>
#include <utility>

#include "runtime/cli/failure_text.hpp"

namespace kaspar::cli {
namespace {

using Clock = std::chrono::steady_clock;

sigset_t watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

}  // namespace

SignalWatch::SignalWatch(std::function<void()> stop) : stop_{std::move(stop)} {
  std::signal(SIGPIPE, SIG_IGN);
  const sigset_t set = watched_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  thread_ = std::jthread{[this](const std::stop_token& token) {
    const sigset_t waited = watched_signals();
    std::optional<Clock::time_point> stopped_at;
    while (!token.stop_requested()) {
      const std::chrono::milliseconds longest{longest_};
      if (stopped_at && longest.count() != 0 && Clock::now() - *stopped_at > longest) {
        _exit(static_cast<int>(
            tell({.message = fmt::format("the run did not end within {} ms of the signal",
                                         longest.count()),
                  .help = "what was not committed is read again by the next run"})));
      }
      // A bounded wait, so that the destructor needs no signal of its own.
      const timespec wait{.tv_sec = 0, .tv_nsec = 100'000'000};
      const int signal = sigtimedwait(&waited, nullptr, &wait);
      if (signal < 0) continue;
      if (stopped_at) _exit(128 + signal);
      stopped_at = Clock::now();
      stop_();
    }
  }};
}

SignalWatch::~SignalWatch() = default;

}  // namespace kaspar::cli
