#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/engine/graph_stages.hpp"
#include "runtime/engine/memory_fixture.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;
using namespace kaspar::engine::test;
using namespace std::chrono_literals;

namespace {

using Values = std::vector<std::string>;
using Action = ErrorPolicy::Action;

constexpr std::size_t live = 0;
constexpr std::size_t shadow = 1;

/// A live branch to sink 0 and one to sink 1 that is best-effort, with room for that many rows.
std::vector<Link> shadowed(std::size_t queue_rows, HopRule rule = {},
                           ErrorPolicy on_error = {.action = Action::Fail}) {
  return {{.name = "a", .inputs = {from_source()}},
          {.name = "b", .inputs = {from_chain(0)}, .sink = live},
          {.name = "c",
           .inputs = {from_chain(0)},
           .rule = rule,
           .sink = shadow,
           .on_error = on_error,
           .best_effort = true,
           .queue_rows = queue_rows}};
}

/// The same without a chain before the fork.
std::vector<Link> shadowed_at_source(std::size_t queue_rows) {
  return {{.name = "b", .inputs = {from_source()}, .sink = live},
          {.name = "c",
           .inputs = {from_source()},
           .sink = shadow,
           .best_effort = true,
           .queue_rows = queue_rows}};
}

Values with_trail(const Values& values, std::size_t count, const char* trail) {
  Values out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(values[i] + trail);
  return out;
}

/// Runs while another thread does something once every batch is acknowledged.
template <class Then>
RunReport run_and(Fixture& f, Then then) {
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  f.source().wait([&] {
    return std::ranges::all_of(f.source().acknowledged, [](int times) { return times == 1; });
  });
  then();
  runner.join();
  engine.reset();
  f.check_contracts();
  return report;
}

}  // namespace

TEST_CASE("a best-effort sink that never confirms stalls nothing; each row is counted") {
  const std::size_t threads = GENERATE(1u, 2u, 4u);
  const bool at_source = GENERATE(false, true);
  Fixture f(2, make_links(at_source ? shadowed_at_source(100) : shadowed(100)));
  f.settings.threads = threads;
  f.settings.best_effort_grace = 50ms;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Never;
  f.source().batches = numbered(1'000);
  const Values all = flattened(f.source().batches);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
  CHECK(values(f.sinks[live]->delivered) == with_trail(all, all.size(), at_source ? "/b" : "/a/b"));
  // The oldest hundred were taken, all the newer ones dropped; in the end those hundred are, too.
  CHECK(values(f.sinks[shadow]->written) == with_trail(all, 100, at_source ? "/c" : "/a/c"));
  CHECK(report.best_effort_dropped == all.size());
  CHECK(report.chains.back().best_effort_dropped == all.size());
  CHECK(report.best_effort_failed == 0);
  CHECK(report.dropped == 0);
}

TEST_CASE("a best-effort sink that wakes up gets what its queue held, in order") {
  Fixture f(2, make_links(shadowed(100)));
  f.settings.threads = GENERATE(1u, 2u);
  f.settings.best_effort_grace = 20s;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(1'000);
  const Values all = flattened(f.source().batches);
  const RunReport report = run_and(f, [&] { f.sinks[shadow]->release_held(); });
  CHECK(report.status == ExitStatus::Fine);
  CHECK(values(f.sinks[live]->delivered).size() == all.size());
  CHECK(values(f.sinks[shadow]->delivered) == with_trail(all, 100, "/a/c"));
  CHECK(report.best_effort_dropped == all.size() - 100);
  CHECK(report.best_effort_failed == 0);
  CHECK(report.records_written == all.size() + 100);
}

TEST_CASE("a best-effort sink that keeps up gets every row, in order") {
  Fixture f(2, make_links(shadowed(1'000'000)));
  f.settings.threads = GENERATE(1u, 2u, 4u);
  f.settings.fuse = GENERATE(true, false);
  f.settings.best_effort_grace = 20s;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Later;
  f.source().batches = numbered(2'000);
  const Values all = flattened(f.source().batches);
  const RunReport report = f.run();
  CHECK(values(f.sinks[shadow]->delivered) == with_trail(all, all.size(), "/a/c"));
  CHECK(report.best_effort_dropped == 0);
}

TEST_CASE("what a stopped best-effort sink was given and refuses is counted as failed") {
  Fixture f(2, make_links(shadowed(100)));
  f.settings.best_effort_grace = 50ms;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(1'000);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(report.best_effort_failed == 100);
  CHECK(report.best_effort_dropped == f.source().records_read - 100);
}

TEST_CASE("a best-effort sink that fails is counted and ends nothing") {
  Fixture f(2, make_links(shadowed(1'000'000)));
  f.settings.threads = GENERATE(1u, 2u);
  f.settings.best_effort_grace = 20s;
  f.sinks[shadow]->delivery = GENERATE(SinkScript::Delivery::AtOnce, SinkScript::Delivery::Later);
  f.sinks[shadow]->fail_at = "500/a/c";
  f.source().batches = numbered(1'000);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
  CHECK(f.sinks[live]->delivered.size() == f.source().records_read);
  CHECK(report.best_effort_failed > 0);
  CHECK(report.best_effort_failed + f.sinks[shadow]->delivered.size() == f.source().records_read);
  CHECK(report.best_effort_dropped == 0);
}

TEST_CASE("rows that fail in a best-effort branch are counted, whatever the policy") {
  const auto action = GENERATE(Action::Fail, Action::Drop, Action::Sink);
  const HopRule rule{17, 3, 0};
  Fixture f(2, make_links(shadowed(1'000'000, rule, {.action = action, .sink = live})));
  f.settings.best_effort_grace = 20s;
  f.source().batches = numbered(500);
  const RunReport report = f.run();
  std::size_t bad = 0;
  for (std::size_t n = 0; n < f.source().records_read; ++n) {
    if (rule.fail(static_cast<std::int64_t>(n))) ++bad;
  }
  CHECK(bad > 100);
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.best_effort_failed == bad);
  CHECK(report.dropped == 0);
  CHECK(report.dead_letters == 0);
  CHECK(report.errors.at(DiagnosticCode::K0902) == bad);
  CHECK(f.sinks[shadow]->delivered.size() == f.source().records_read - bad);
}

TEST_CASE("branches of one best-effort sink keep the order of their rows there") {
  Fixture f(
      2,
      make_links(
          {{.name = "a", .inputs = {from_source()}, .rule = {5, 0, 0}, .arms = 3},
           {.name = "b", .inputs = {from_chain(0, 0)}, .sink = live},
           {.name = "c",
            .inputs = {from_chain(0, 1)},
            .sink = shadow,
            .best_effort = true,
            .queue_rows = 100'000},
           {.name = "d", .inputs = {from_chain(0, 2)}, .best_effort = true, .queue_rows = 100'000},
           {.name = "e", .inputs = {from_chain(3)}, .sink = shadow, .best_effort = true}}));
  f.settings.threads = GENERATE(1u, 2u, 4u);
  f.settings.best_effort_grace = 20s;
  f.source().batches = numbered(1'000);
  CHECK(f.run().status == ExitStatus::Fine);
  Values wanted;
  for (std::size_t n = 0; n < f.source().records_read; ++n) {
    const auto arm = arm_of(static_cast<std::int64_t>(n), 7, 3);
    if (arm != 0) wanted.push_back(std::to_string(n) + (arm == 1 ? "/a/c" : "/a/d/e"));
  }
  CHECK(values(f.sinks[shadow]->delivered) == wanted);
}

TEST_CASE(
    "each best-effort branch has its own queue: one that stalls does not drop another's rows") {
  std::vector<Link> links = shadowed(100);
  links.push_back({.name = "d",
                   .inputs = {from_chain(0)},
                   .sink = 2,
                   .best_effort = true,
                   .queue_rows = 1'000'000});
  Fixture f(3, make_links(links));
  f.settings.best_effort_grace = 100ms;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Never;
  f.source().batches = numbered(1'000);
  f.source().ends = false;
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  const auto complete = [&] {
    const std::lock_guard lock(f.sinks[2]->mutex);
    return f.sinks[2]->delivered.size() == f.source().records_read;
  };
  f.source().wait([&] { return f.source().read == 1'000; });
  while (!complete()) std::this_thread::yield();
  engine->request_stop();
  runner.join();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.chains[2].best_effort_dropped == f.source().records_read);
  CHECK(report.chains[3].best_effort_dropped == 0);
  CHECK(report.chains[3].records_written == f.source().records_read);
}

TEST_CASE("without losses, best-effort branches hold credits instead") {
  Fixture f(2, make_links(shadowed(10)));
  f.settings.lossless_best_effort = true;
  f.sinks[shadow]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(600);
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  f.source().wait([&] { return f.source().read == 64 && f.source().served > 20; });
  CHECK(f.source().read == 64);
  f.sinks[shadow]->release_held();
  runner.join();
  const Values all = flattened(f.source().batches);
  CHECK(values(f.sinks[shadow]->delivered) == with_trail(all, all.size(), "/a/c"));
  CHECK(report.best_effort_dropped == 0);
  CHECK(f.each_acknowledged_once());
}

TEST_CASE(
    "where all is best-effort, nothing is dropped for want of room and failures end nothing") {
  Fixture f(1, make_links({{.name = "a",
                            .inputs = {from_source()},
                            .rule = {3, 10, 0},
                            .sink = 0,
                            .on_error = {.action = Action::Fail},
                            .best_effort = true}}));
  f.sinks[0]->delivery = SinkScript::Delivery::Later;
  f.sinks[0]->fail_at = flattened(numbered(400))[300] + "/a";
  f.source().batches = numbered(400);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
  CHECK(report.best_effort_failed + f.sinks[0]->delivered.size() == f.source().records_read);
  CHECK(report.best_effort_failed > 50);
}

TEST_CASE("with hardly any memory a best-effort branch drops, and still counts each row") {
  Fixture f(2, make_links(shadowed(1'000'000)));
  f.settings.memory_budget = 4;
  f.settings.best_effort_grace = 20s;
  f.source().batches = numbered(500);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(f.sinks[live]->delivered.size() == f.source().records_read);
  CHECK(f.sinks[shadow]->delivered.size() + report.best_effort_dropped == f.source().records_read);
  CHECK_FALSE(f.sinks[shadow]->delivered.empty());
}

namespace {

/// Until it is let go, whatever thread works on it stays in it.
std::atomic<bool> let_go{false};

class Stuck final : public Operator {
 public:
  void process(Batch&, OperatorState*) const noexcept override {
    while (!let_go) std::this_thread::yield();
  }
};

const NodeDescriptor stuck_node{.name = "stuck", .make_operator = make<Stuck>};

}  // namespace

TEST_CASE("best-effort branches take at most half of the threads") {
  let_go = false;
  std::vector<Link> links = shadowed(1'000'000);
  links.push_back({.name = "d",
                   .inputs = {from_chain(0)},
                   .sink = 2,
                   .best_effort = true,
                   .queue_rows = 1'000'000});
  Fixture f(3, make_links(links));
  for (std::size_t i : {2u, 3u}) {
    StagePlan stuck;
    stuck.word = "stuck";
    stuck.node = &stuck_node;
    f.plan.chains[i].stages.insert(f.plan.chains[i].stages.begin(), stuck);
    f.plan.chains[i].segments = {{0, 3}};
  }
  f.settings.threads = 2;
  f.settings.best_effort_grace = 20s;
  f.source().batches = numbered(500);
  // The live branch goes to its end while a best-effort one is stuck.
  const RunReport report = run_and(f, [] { let_go = true; });
  CHECK(report.status == ExitStatus::Fine);
  CHECK(f.sinks[live]->delivered.size() == f.source().records_read);
  CHECK(f.sinks[shadow]->delivered.size() == f.source().records_read);
  CHECK(f.sinks[2]->delivered.size() == f.source().records_read);
}
