#include "runtime/engine/credits.hpp"

#include <atomic>
#include <chrono>
#include <thread>

#include "test/unit/catch.hpp"

using kaspar::engine::Credits;
using namespace std::chrono_literals;

TEST_CASE("credits run out by batches and by bytes, exactly") {
  Credits by_batches(2, 1000);
  CHECK(by_batches.reserve(1, 0ms));
  CHECK(by_batches.reserve(1, 0ms));
  CHECK_FALSE(by_batches.reserve(1, 0ms));
  by_batches.release(1);
  CHECK(by_batches.reserve(1, 0ms));
  CHECK(by_batches.batches_in_flight() == 2);

  Credits by_bytes(10, 100);
  CHECK(by_bytes.reserve(60, 0ms));
  CHECK_FALSE(by_bytes.reserve(41, 0ms));
  CHECK(by_bytes.reserve(40, 0ms));
  CHECK_FALSE(by_bytes.reserve(1, 0ms));
  by_bytes.adjust(60, 10);
  CHECK(by_bytes.reserve(50, 0ms));
  CHECK(by_bytes.bytes_in_flight() == 100);
}

TEST_CASE("a batch larger than the budget is admitted alone") {
  Credits credits(10, 100);
  CHECK(credits.reserve(1, 0ms));
  CHECK_FALSE(credits.reserve(500, 0ms));
  credits.release(1);
  CHECK(credits.reserve(500, 0ms));
  CHECK_FALSE(credits.reserve(1, 0ms));
  credits.release(500);
  CHECK(credits.reserve(10, 0ms));
  credits.adjust(10, 300);  // a record that was larger than expected
  CHECK_FALSE(credits.reserve(1, 0ms));
  credits.release(300);
  CHECK(credits.bytes_in_flight() == 0);
  CHECK(credits.batches_in_flight() == 0);
}

TEST_CASE("who waits for credit goes on when some is released") {
  Credits credits(1, 100);
  REQUIRE(credits.reserve(10, 0ms));
  std::atomic<bool> granted{false};
  std::thread waiter([&] { granted = credits.reserve(10, 60'000ms); });
  credits.release(10);
  waiter.join();
  CHECK(granted);
}
