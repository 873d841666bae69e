#include "runtime/engine/stall_watch.hpp"

#include "test/unit/catch.hpp"

using namespace kaspar::engine;
using namespace std::chrono_literals;

TEST_CASE("a stall is told after its time, then ever more rarely, and its end once") {
  const auto begun = StallWatch::Clock::now();
  StallWatch watch(10s, begun);
  const auto told = [&](std::chrono::seconds at, std::size_t waiting, std::uint64_t finished) {
    const auto news = watch.look(begun + at, waiting, finished);
    return news ? (news->stalled ? 1 : -1) * news->lasted / 1s : 0;
  };
  CHECK(told(9s, 3, 0) == 0);
  CHECK(told(10s, 3, 0) == 10);
  CHECK(told(19s, 3, 0) == 0);
  CHECK(told(20s, 3, 0) == 20);
  CHECK(told(39s, 3, 0) == 0);
  CHECK(told(40s, 3, 0) == 40);
  CHECK(told(41s, 2, 1) == -41);
  CHECK(told(42s, 2, 1) == 0);
  CHECK(told(50s, 2, 1) == 0);
  CHECK(told(51s, 2, 1) == 10);
  CHECK(told(52s, 0, 3) == -11);
}

TEST_CASE("without anything to acknowledge there is no stall, nor while something is") {
  const auto begun = StallWatch::Clock::now();
  StallWatch watch(10s, begun);
  CHECK_FALSE(watch.look(begun + 60s, 0, 0));
  CHECK_FALSE(watch.look(begun + 69s, 5, 0));
  CHECK_FALSE(watch.look(begun + 78s, 5, 1));
  CHECK_FALSE(watch.look(begun + 87s, 5, 1));
  CHECK(watch.look(begun + 88s, 5, 1));
}
