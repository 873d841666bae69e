#include "runtime/engine/in_place.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::engine {
namespace {

using namespace std::chrono_literals;

/// Batches of so many rows come until none is refused, or as often as one may be.
bool taken_soon(InPlace& in_place, std::size_t rows) {
  for (int i = 0; i < 64; ++i) {
    if (in_place.takes(rows)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("quick batches may grow, up to the largest") {
  InPlace in_place;
  CHECK(in_place.takes(1));
  CHECK_FALSE(in_place.takes(100));
  REQUIRE(taken_soon(in_place, 100));
  in_place.took(100, 1us);
  CHECK(in_place.takes(200));
  CHECK_FALSE(in_place.takes(201));
  in_place.took(max_batch_records, 1us);
  CHECK(in_place.takes(max_batch_records));
}

TEST_CASE("slow rows leave the thread that reads, even one by one, and are tried again") {
  InPlace in_place;
  for (std::size_t rows = 16; rows > 0; rows /= 2) {
    REQUIRE(in_place.takes(rows));
    in_place.took(rows, 100ms);
  }
  CHECK_FALSE(in_place.takes(1));
  REQUIRE(taken_soon(in_place, 1));
  in_place.took(1, 1us);
  CHECK(in_place.takes(2));
}

TEST_CASE("few quick rows are measured now and then, the first ones and many always") {
  const auto measured = [](InPlace& in_place, std::size_t rows) {
    std::size_t count = 0;
    for (int i = 0; i < 160; ++i) {
      if (!in_place.measures(rows)) continue;
      in_place.took(rows, 1us);
      ++count;
    }
    return count;
  };
  InPlace in_place;
  CHECK(in_place.measures(1));
  CHECK(measured(in_place, 1) == 10);
  CHECK(measured(in_place, max_batch_records) == 160);
}

TEST_CASE("once few rows were slow, they are measured until they leave the thread that reads") {
  InPlace in_place;
  in_place.took(max_batch_records, 1us);
  int batches = 0;
  while (!in_place.measures(1)) ++batches;
  CHECK(batches <= 16);
  for (in_place.took(1, 100ms); in_place.takes(1); in_place.took(1, 100ms)) {
    REQUIRE(in_place.measures(1));
    REQUIRE(++batches < 40);
  }
}

TEST_CASE("a trial that is too slow does not shrink what is taken") {
  InPlace in_place;
  REQUIRE(taken_soon(in_place, 1'000));
  in_place.took(1'000, 100ms);
  CHECK(in_place.takes(16));
}

TEST_CASE("a trial that is just quick enough is taken from then on") {
  InPlace in_place;
  REQUIRE(taken_soon(in_place, 1'000));
  in_place.took(1'000, 900us);
  CHECK(in_place.takes(1'000));
  in_place.took(1'000, 900us);
  CHECK(in_place.takes(1'000));
  CHECK_FALSE(in_place.takes(1'001));
}

TEST_CASE("what is always too slow is tried more and more rarely") {
  InPlace in_place;
  std::size_t trials = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (!in_place.takes(1'000)) continue;
    ++trials;
    in_place.took(1'000, 100ms);
  }
  CHECK(trials > 100);
  CHECK(trials < 200);
}

}  // namespace kaspar::engine
