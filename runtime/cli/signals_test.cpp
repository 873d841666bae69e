#include "runtime/cli/signals.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "test/unit/catch.hpp"

namespace kaspar::cli {
namespace {

using namespace std::chrono_literals;

/// The exit status of a child that is asked to end, and does nothing of that kind itself.
int status_of_stuck_child(std::chrono::milliseconds longest, int signals) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int left = signals;
    SignalWatch watch{[&left] {
      if (--left > 0) ::kill(::getpid(), SIGTERM);
    }};
    watch.end_within(longest);
    ::kill(::getpid(), SIGTERM);
    while (true) ::pause();
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

}  // namespace

TEST_CASE("a process that does not end after a signal is ended by force") {
  CHECK(status_of_stuck_child(200ms, 1) == 3);
}

TEST_CASE("a second signal ends a process at once") {
  CHECK(status_of_stuck_child(0ms, 2) == 128 + SIGTERM);
}

}  // namespace kaspar::cli
