// What those who look on are told, and that it agrees with what happened.
#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "runtime/engine/engine.hpp"
#include "runtime/engine/graph_stages.hpp"
#include "runtime/engine/memory_fixture.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;
using namespace kaspar::engine::test;

namespace {

constexpr ErrorPolicy to_dead{.action = ErrorPolicy::Action::Sink, .sink = 1};

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count(text, '\n'));
}

}  // namespace

TEST_CASE("a snapshot counts what was read, filtered, failed, written and dead-lettered") {
  Fixture f(2, {make_chain(0, to_dead)});
  f.settings.fuse = GENERATE(true, false);
  f.sinks[0]->delivery = GENERATE(SinkScript::Delivery::Later, SinkScript::Delivery::Copied);
  f.source().batches = {{"a", "bad1", "skip1"}, {"bad2"}, {"b", "c", "skip2", "skip3"}};
  auto engine = f.open();
  CHECK(engine->snapshot().opened);
  CHECK(engine->snapshot().computing == 0);
  REQUIRE(engine->run().status == ExitStatus::Fine);
  const RunSnapshot now = engine->snapshot();
  CHECK(now.draining);
  CHECK(now.records_read == std::vector<std::uint64_t>{8});
  REQUIRE(now.chains.size() == 1);
  const ChainSnapshot& chain = now.chains[0];
  REQUIRE(chain.stages.size() == 3);
  CHECK(chain.stages[0].records_in == 8);
  CHECK(chain.stages[0].filtered == 0);
  CHECK(chain.stages[1].records_in == 8);
  CHECK(chain.stages[1].failed == 2);
  CHECK(chain.stages[1].filtered == 3);
  CHECK(chain.stages[2].records_in == 3);
  CHECK(chain.written == 3);
  CHECK(chain.unconfirmed == 0);
  CHECK(chain.waiting == 0);
  CHECK(now.sinks[0].records == 3);
  CHECK(now.sinks[1].dead_letters == 2);
  CHECK(now.sinks[0].unconfirmed == 0);
  CHECK(now.errors[static_cast<std::size_t>(DiagnosticCode::K0902)] == 2);
  CHECK(now.batches.count() == 3);
  CHECK(now.computing == 0);
  CHECK(now.computed == 3);
  CHECK(now.batches_in_flight == 0);
  REQUIRE(now.recent.size() == 2);
  CHECK(now.recent[0].stage == 1);
  CHECK(now.recent[0].code == DiagnosticCode::K0902);
}

TEST_CASE("what a sink has not confirmed is seen as waiting, and is no lack of progress") {
  Fixture f(1, {make_chain(0)});
  f.sinks[0]->delivery = SinkScript::Delivery::Held;
  f.source().batches = {{"a", "b"}, {"c"}};
  f.source().ends = false;
  auto engine = f.open();
  std::atomic<bool> ended{false};
  std::thread running([&] {
    CHECK(engine->run().status == ExitStatus::Fine);
    ended = true;
  });
  const auto seen = [&](auto what) {
    RunSnapshot now;
    do {
      now = engine->snapshot();
    } while (!ended && !what(now));
    return now;
  };
  // A snapshot is no single moment: what one has seen begin, the next has seen whole.
  (void)seen(
      [](const RunSnapshot& now) { return now.sinks[0].unconfirmed == 3 && now.computing == 0; });
  const RunSnapshot held = engine->snapshot();
  CHECK_FALSE(ended);
  CHECK(held.chains[0].unconfirmed == 3);
  CHECK(held.chains[0].written == 0);
  CHECK(held.batches_in_flight == 2);
  CHECK(held.batches.count() == 0);
  f.sinks[0]->release_held();
  (void)seen([](const RunSnapshot& now) { return now.batches.count() == 2; });
  const RunSnapshot done = engine->snapshot();
  CHECK(done.sinks[0].records == 3);
  CHECK(done.sinks[0].unconfirmed == 0);
  engine->request_stop();
  running.join();
}

TEST_CASE("before it is opened a snapshot holds nothing") {
  Fixture f(1, {make_chain(0)});
  Engine engine(f.plan, f.context);
  const RunSnapshot now = engine.snapshot();
  CHECK_FALSE(now.opened);
  CHECK(now.records_read.size() == 1);
  REQUIRE(now.chains.size() == 1);
  CHECK(now.chains[0].stages.size() == 3);
  CHECK_FALSE(engine.tap({}));
}

TEST_CASE("a tap sees the rows of its stream, of its arm or of the source") {
  Fixture f(2, make_links({{.name = "a", .inputs = {from_source(0)}, .rule = {9, 3, 4}, .arms = 2},
                           {.name = "b", .inputs = {from_chain(0, 0)}, .sink = 0},
                           {.name = "c", .inputs = {from_chain(0, 1)}, .sink = 1}}));
  const std::size_t rows = 100;
  for (std::size_t i = 0; i < rows; ++i) f.source().batches.push_back({"v" + std::to_string(i)});
  auto engine = f.open();
  const auto of_source = engine->tap({.chain = 0, .of_source = true});
  const auto of_chain = engine->tap({.chain = 1});
  const auto of_arm = engine->tap({.chain = 0, .arm = 1});
  auto ended = engine->tap({.chain = 0});
  const auto alive = ended;
  ended.reset();
  CHECK_FALSE(engine->tap({.chain = 99}));
  REQUIRE(engine->run().status == ExitStatus::Fine);
  std::size_t first = 0;
  std::size_t second = 0;
  const HopRule rule{9, 3, 4};
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(rows); ++i) {
    if (rule.fail(i) || rule.skip(i)) continue;
    ++(arm_of(i, 11, 2) == 0 ? first : second);
  }
  const std::string source = of_source->take();
  CHECK(lines_in(source) == rows);
  CHECK(source.find(R"("value":"v7")") != std::string::npos);
  const std::string chain = of_chain->take();
  CHECK(lines_in(chain) == first);
  CHECK(chain.find("/a/b\"") != std::string::npos);
  const std::string arm = of_arm->take();
  CHECK(lines_in(arm) == second);
  CHECK(arm.find("/a\"") != std::string::npos);
  CHECK(of_arm->take().empty());
}

TEST_CASE("a tap that nobody empties keeps little and counts the rest") {
  Fixture f(1, make_links({{.name = "a", .inputs = {from_source(0)}, .sink = 0}}));
  std::vector<std::string> batch(1000, std::string(100'000, 'x'));
  for (int i = 0; i < 3; ++i) f.source().batches.push_back(batch);
  auto engine = f.open();
  const auto tap = engine->tap({.chain = 0, .of_source = true});
  REQUIRE(engine->run().status == ExitStatus::Fine);
  const std::string kept = tap->take();
  CHECK(kept.size() <= Tap::most_bytes + 2 * Tap::largest_row);
  CHECK(lines_in(kept) >= 1);
}
