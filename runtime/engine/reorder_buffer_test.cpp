#include "runtime/engine/reorder_buffer.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "test/unit/catch.hpp"

using kaspar::engine::ReorderBuffer;

TEST_CASE("items come out by sequence, however they came in") {
  constexpr std::uint64_t window = 64;
  ReorderBuffer<std::uint64_t> buffer(window);
  std::vector<std::uint64_t> out;
  std::mt19937_64 random(7);
  for (std::uint64_t first = 0; first < 100 * window; first += window) {
    std::vector<std::uint64_t> order;
    for (std::uint64_t i = 0; i < window; ++i) order.push_back(first + i);
    std::ranges::shuffle(order, random);
    for (const std::uint64_t i : order) {
      buffer.push(i, i, [&](std::uint64_t item) { out.push_back(item); });
    }
  }
  REQUIRE(out.size() == 100 * window);
  CHECK(std::ranges::is_sorted(out));
}

TEST_CASE("several threads push, one at a time emits, nothing is left behind") {
  constexpr std::uint64_t items = 20'000;
  constexpr std::uint64_t window = 32;
  ReorderBuffer<std::uint64_t> buffer(window);
  std::atomic<std::uint64_t> next{0};
  std::atomic<std::uint64_t> emitted{0};
  std::atomic<int> emitting{0};
  std::atomic<bool> overlapped{false};
  std::vector<std::uint64_t> out;
  const auto work = [&] {
    while (true) {
      const std::uint64_t mine = next++;
      if (mine >= items) return;
      while (mine - emitted.load() >= window && mine >= emitted.load()) std::this_thread::yield();
      buffer.push(mine, mine, [&](std::uint64_t item) {
        if (emitting.fetch_add(1) != 0) overlapped = true;
        out.push_back(item);
        emitting.fetch_sub(1);
        ++emitted;
      });
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(overlapped);
  REQUIRE(out.size() == items);
  CHECK(std::ranges::is_sorted(out));
}
