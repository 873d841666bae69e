#include "runtime/core/memory_split.hpp"

#include <algorithm>
#include <memory>

#include "runtime/core/plan.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;

namespace {

constexpr std::size_t mib = std::size_t{1} << 20;

class Held final : public Resource {
 public:
  Held(std::size_t all, std::size_t per_thread) : all_(all), per_thread_(per_thread) {}
  [[nodiscard]] std::size_t memory() const noexcept override { return all_; }
  [[nodiscard]] std::size_t memory_per_thread() const noexcept override { return per_thread_; }

 private:
  std::size_t all_, per_thread_;
};

std::size_t sum(const MemorySplit& split) {
  return split.program + split.fetch + split.batches + split.best_effort + split.models +
         split.producers;
}

}  // namespace

TEST_CASE("what the program and its models take is not given to records") {
  const MemorySplit without = split_memory(256 * mib, 0, false);
  CHECK(without.program == 32 * mib);
  CHECK(without.batches == 112 * mib);
  CHECK(without.fetch == 56 * mib);
  CHECK(without.producers == 56 * mib);
  const MemorySplit with = split_memory(256 * mib, 124 * mib, true);
  CHECK(with.models == 124 * mib);
  CHECK(with.fetch == 25 * mib);
  CHECK(with.batches + with.best_effort == 50 * mib);
  CHECK(sum(with) == 256 * mib);
}

TEST_CASE("a small budget has some for records beside the program") {
  for (const std::size_t budget : {16 * mib, 32 * mib, 64 * mib}) {
    const MemorySplit split = split_memory(budget, 0, false);
    CHECK(split.program == std::min(32 * mib, budget / 2));
    CHECK(split.batches >= budget / 4);
    CHECK(sum(split) == budget);
  }
}

TEST_CASE("models that take all leave records a sixteenth") {
  const MemorySplit split = split_memory(256 * mib, 300 * mib, false);
  CHECK(split.batches == 8 * mib);
  CHECK(sum(split) == (32 + 300 + 16) * mib);
}

TEST_CASE("a plan's models take their weights once, and what each thread runs them in") {
  Plan plan;
  CHECK(plan.model_memory(4) == 0);
  plan.models.push_back({.name = "m", .resource = std::make_shared<Held>(100, 0)});
  plan.models.push_back({.name = "none"});
  plan.chains.resize(1);
  plan.chains[0].stages.resize(2);
  plan.chains[0].stages[1].resource = std::make_shared<Held>(10, 7);
  CHECK(plan.model_memory(4) == 100 + 10 + 4 * 7);
}
