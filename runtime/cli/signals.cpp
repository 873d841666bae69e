#include "runtime/cli/signals.hpp"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <utility>

namespace kaspar::cli {
namespace {

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
    bool stopping = false;
    while (!token.stop_requested()) {
      // A bounded wait, so that the destructor needs no signal of its own.
      const timespec wait{.tv_sec = 0, .tv_nsec = 100'000'000};
      const int signal = sigtimedwait(&waited, nullptr, &wait);
      if (signal < 0) continue;
      if (stopping) _exit(128 + signal);
      stopping = true;
      stop_();
    }
  }};
}

SignalWatch::~SignalWatch() = default;

}  // namespace kaspar::cli
