#include "runtime/engine/engine.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/engine/memory_fixture.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;
using namespace kaspar::engine::test;
using namespace std::chrono_literals;

TEST_CASE("order is kept though bodies overtake each other, and each batch is acknowledged once") {
  const std::size_t threads = GENERATE(1u, 2u, 4u);
  const bool fuse = GENERATE(true, false);
  const auto delivery = GENERATE(SinkScript::Delivery::AtOnce, SinkScript::Delivery::Later,
                                 SinkScript::Delivery::Copied, SinkScript::Delivery::Served);
  Fixture f(1, {make_chain(0)});
  f.settings.threads = threads;
  f.settings.fuse = fuse;
  f.sinks[0]->delivery = delivery;
  f.source().batches = numbered(2'000);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK_FALSE(report.failure);
  CHECK(report.drained);
  CHECK((f.sinks[0]->served > 0) == (delivery == SinkScript::Delivery::Served));
  CHECK(values(f.sinks[0]->delivered) == flattened(f.source().batches));
  CHECK(f.each_acknowledged_once());
  CHECK(report.records_read == f.source().records_read);
  CHECK(report.records_written == f.source().records_read);
  REQUIRE(report.chains.size() == 1);
  REQUIRE(report.chains[0].stages.size() == 3);
  CHECK(report.chains[0].stages[2].word == "to");
  CHECK(report.chains[0].stages[2].records_in == f.source().records_read);
}

TEST_CASE("a batch is acknowledged only after its delivery on every branch of a fork") {
  Fixture f(2, {make_chain(0), make_chain(1)});
  for (auto& sink : f.sinks) sink->delivery = SinkScript::Delivery::Later;
  if (GENERATE(false, true)) f.sinks[0]->delivery = SinkScript::Delivery::Copied;
  f.source().batches = numbered(300);
  std::atomic<bool> early{false};
  f.source().on_acknowledge = [&](std::size_t batch) {
    for (auto& sink : f.sinks) {
      const std::lock_guard lock(sink->mutex);
      for (const std::string& value : f.source().batches[batch]) {
        if (std::ranges::find(sink->delivered, value, &Written::value) == sink->delivered.end()) {
          early = true;
        }
      }
    }
  };
  const RunReport report = f.run();
  CHECK(report.drained);
  CHECK_FALSE(early);
  CHECK(f.each_acknowledged_once());
  for (auto& sink : f.sinks) CHECK(values(sink->delivered) == flattened(f.source().batches));
  CHECK(report.records_written == 2 * f.source().records_read);
}

TEST_CASE(
    "a batch whose transaction was aborted on one branch is neither acknowledged nor a failure") {
  Fixture f(2, {make_chain(0), make_chain(1)});
  for (auto& sink : f.sinks) {
    sink->delivery = GENERATE(SinkScript::Delivery::Later, SinkScript::Delivery::Copied);
  }
  f.source().batches = {{"a", "b"}, {"c", "d", "e"}, {"f"}};
  f.sinks[1]->discard_at = "d";
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.source().acknowledged == std::vector<int>{1, 0, 1});
  CHECK(report.records_read == 3);
  CHECK(values(f.sinks[1]->delivered) == std::vector<std::string>{"a", "b", "f"});
}

TEST_CASE("a row whose result its sink refused fails when it is read again, and no other one") {
  Fixture f(3, {make_chain(0, {.action = ErrorPolicy::Action::Sink, .sink = 1}),
                make_chain(2, {.action = ErrorPolicy::Action::Drop})});
  f.source().rewinds = true;
  f.source().batches = {{"a", "b", "c"}};
  f.sinks[0]->refuse_at = "b";
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
  CHECK(report.records_read == 3);
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"a", "c"});
  REQUIRE(f.sinks[1]->delivered.size() == 1);
  const Written& letter = f.sinks[1]->delivered.front();
  CHECK(letter.value == "b");
  CHECK(letter.code == DiagnosticCode::K0908);
  CHECK(letter.stage == "to");
  CHECK(letter.offset == 1);
  // The other chain has delivered all of it twice: that is at least once.
  CHECK(values(f.sinks[2]->delivered) == std::vector<std::string>{"a", "b", "c", "a", "b", "c"});
}

TEST_CASE("a limit of records counts what is read again") {
  Fixture f(2, {make_chain(0, {.action = ErrorPolicy::Action::Sink, .sink = 1})});
  f.settings.record_limit = 3;
  f.sinks[0]->delivery = SinkScript::Delivery::Later;
  f.source().rewinds = true;
  f.source().ends = false;
  f.source().batches = {{"a", "b", "c"}};
  f.sinks[0]->refuse_at = "b";
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(report.records_read == 3);
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"a", "c"});
  CHECK(values(f.sinks[1]->delivered) == std::vector<std::string>{"b"});
}

TEST_CASE("a refused row ends the run or is dropped where the file says so") {
  for (const auto action : {ErrorPolicy::Action::Fail, ErrorPolicy::Action::Drop}) {
    Fixture f(1, {make_chain(0, {.action = action})});
    f.source().rewinds = true;
    f.source().batches = {{"a", "b", "c"}};
    f.sinks[0]->refuse_at = "b";
    auto engine = f.open();
    const RunReport report = engine->run();
    const bool fails = action == ErrorPolicy::Action::Fail;
    CHECK(report.status == (fails ? ExitStatus::Failed : ExitStatus::Fine));
    if (fails) CHECK(report.failure->message.find("no room for b") != std::string::npos);
    CHECK(report.dropped == (fails ? 0 : 1));
    const std::vector<std::string> before{"a"}, without{"a", "c"};
    CHECK(values(f.sinks[0]->delivered) == (fails ? before : without));
  }
}

TEST_CASE("an error row that is refused too ends the run") {
  Fixture f(2, {make_chain(0, {.action = ErrorPolicy::Action::Sink, .sink = 1})});
  f.source().batches = {{"a", "bad", "c"}};
  f.sinks[1]->refuse_at = "bad";
  auto engine = f.open();
  const RunReport report = engine->run();
  CHECK(report.status == ExitStatus::Failed);
  CHECK(report.failure->message.find("error row was refused") != std::string::npos);
  CHECK(f.source().acknowledged == std::vector<int>{0});
}

TEST_CASE("chains that share a sink do not write at the same time") {
  Fixture f(1, {make_chain(0), make_chain(0)});
  f.source().batches = numbered(500);
  CHECK(f.run().drained);
  CHECK(f.sinks[0]->delivered.size() == 2 * f.source().records_read);
}

TEST_CASE("a batch of which nothing is left is acknowledged") {
  Fixture f(1, {make_chain(0)});
  for (int i = 0; i < 1'000; ++i) f.source().batches.push_back({"skip", "skip"});
  f.source().batches.push_back({"one"});
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(f.each_acknowledged_once());
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"one"});
}

TEST_CASE("failed rows become dead letters, in order, and tell where they come from") {
  Fixture f(2, {make_chain(0, {.action = ErrorPolicy::Action::Sink, .sink = 1})});
  for (auto& sink : f.sinks) sink->delivery = SinkScript::Delivery::Later;
  std::vector<std::string> bad;
  for (int i = 0; i < 500; ++i) {
    bad.push_back("bad" + std::to_string(i));
    f.source().batches.push_back({"good" + std::to_string(i), bad.back()});
  }
  const RunReport report = f.run();
  CHECK(report.drained);
  CHECK(values(f.sinks[1]->delivered) == bad);
  CHECK(f.sinks[0]->delivered.size() == 500);
  CHECK(report.dead_letters == 500);
  CHECK(report.records_written == 500);
  CHECK(report.errors == std::map<DiagnosticCode, std::uint64_t>{{DiagnosticCode::K0902, 500}});
  CHECK(report.chains[0].stages[1].errors == 500);
  CHECK(report.chains[0].stages[2].records_in == 500);
  const Written& letter = f.sinks[1]->delivered.at(7);
  CHECK(letter.key == "k15");
  CHECK(letter.code == DiagnosticCode::K0902);
  CHECK(letter.stage == "sieve");
  CHECK(letter.topic == "in");
  CHECK(letter.partition == 3);
  CHECK(letter.offset == 15);
  CHECK(f.each_acknowledged_once());
}

TEST_CASE("failed rows that the file says to drop are counted") {
  Fixture f(1, {make_chain(0, {.action = ErrorPolicy::Action::Drop})});
  f.source().batches = {{"a", "bad1"}, {"bad2"}, {"b"}};
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.dropped == 2);
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"a", "b"});
  CHECK(f.each_acknowledged_once());
}

TEST_CASE("policy `fail` writes the rows before, ends the run with 3 and acknowledges no more") {
  Fixture f(1, {make_chain(0, {.action = ErrorPolicy::Action::Fail})});
  f.source().batches = numbered(50);
  f.source().batches[30] = {"x", "bad", "y"};
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Failed);
  REQUIRE(report.failure);
  CHECK(report.failure->message.find("K0902") != std::string::npos);
  CHECK(report.failure->message.find("partition 3") != std::string::npos);
  CHECK_FALSE(report.drained);
  std::vector<std::string> expected =
      flattened({f.source().batches.begin(), f.source().batches.begin() + 30});
  expected.push_back("x");
  CHECK(values(f.sinks[0]->delivered) == expected);
  for (std::size_t i = 0; i < 50; ++i) CHECK(f.source().acknowledged[i] == (i < 30 ? 1 : 0));
}

TEST_CASE("a record too large for the sink is a failed row of `to`") {
  Fixture f(2, {make_chain(0, {.action = ErrorPolicy::Action::Sink, .sink = 1})});
  f.sinks[0]->largest = 20;
  f.source().batches = {{"small", std::string(100, 'x'), "small again"}};
  const RunReport report = f.run();
  CHECK(report.drained);
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"small", "small again"});
  REQUIRE(f.sinks[1]->delivered.size() == 1);
  CHECK(f.sinks[1]->delivered[0].code == DiagnosticCode::K0908);
  CHECK(f.sinks[1]->delivered[0].stage == "to");
  CHECK(f.sinks[1]->delivered[0].value == std::string(100, 'x'));
}

TEST_CASE("a sink that fails ends the run with 3; what it did not write is not acknowledged") {
  const auto delivery = GENERATE(SinkScript::Delivery::AtOnce, SinkScript::Delivery::Later,
                                 SinkScript::Delivery::Copied, SinkScript::Delivery::Served);
  Fixture f(1, {make_chain(0)});
  f.sinks[0]->delivery = delivery;
  f.sinks[0]->fail_at = "50";
  f.source().batches = numbered(100);
  f.source().ends = false;
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Failed);
  REQUIRE(report.failure);
  CHECK(report.failure->message == "the disk is full");
  const auto delivered = values(f.sinks[0]->delivered);
  for (std::size_t i = 0; i < f.source().batches.size(); ++i) {
    const bool whole = std::ranges::all_of(f.source().batches[i], [&](const std::string& value) {
      return std::ranges::find(delivered, value) != delivered.end();
    });
    CHECK(f.source().acknowledged[i] == (whole ? 1 : 0));
  }
}

TEST_CASE("a source that fails ends the run with its status, after what it read is delivered") {
  Fixture f(1, {make_chain(0)});
  f.source().batches = numbered(20);
  f.source().failure = Failure{.status = ExitStatus::Failed, .message = "fenced"};
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Failed);
  CHECK(report.failure->message == "fenced");
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
}

TEST_CASE("credits bound the batches in flight, exactly, and the source is served meanwhile") {
  Fixture f(1, {make_chain(0)});
  f.sinks[0]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(600);
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  // The limit of batches applies: each is far below its share of the budget.
  f.source().wait([&] { return f.source().read == 64 && f.source().served > 20; });
  CHECK(f.source().read == 64);
  f.sinks[0]->release_held();
  runner.join();
  CHECK(report.drained);
  CHECK(f.source().read == 600);
  CHECK(f.each_acknowledged_once());
}

TEST_CASE("a run in which nothing is acknowledged any more tells so, and when it goes on") {
  Fixture f(1, {make_chain(0)});
  f.settings.stall_warning = 20ms;
  f.sinks[0]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(100);
  f.source().ends = false;
  auto engine = f.open();
  std::vector<std::string> events;  // written by the thread that runs
  f.log.heard = [&](std::string_view event) {
    events.emplace_back(event);
    if (event == "run_stalled") f.sinks[0]->release_held();
    if (event == "run_resumed") engine->request_stop();
  };
  const RunReport report = engine->run();
  CHECK(report.drained);
  CHECK(std::ranges::find(events, "run_stalled") < std::ranges::find(events, "run_resumed"));
  CHECK(std::ranges::find(events, "run_resumed") != events.end());
}

TEST_CASE("a tiny memory budget still lets one batch through at a time") {
  Fixture f(1, {make_chain(0)});
  f.settings.memory_budget = 2;
  f.sinks[0]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(50);
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  f.source().wait([&] { return f.source().served > 20; });
  CHECK(f.source().read == 1);
  f.sinks[0]->release_held();
  runner.join();
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
}

TEST_CASE("a stop in the middle drains what was read") {
  Fixture f(1, {make_chain(0)});
  f.sinks[0]->delivery = SinkScript::Delivery::Later;
  f.source().batches = numbered(400);
  f.source().ends = false;
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  f.source().wait([&] { return f.source().read >= 100; });
  engine->request_stop();
  runner.join();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  for (std::size_t i = 0; i < f.source().batches.size(); ++i) {
    CHECK(f.source().acknowledged[i] == (i < f.source().read ? 1 : 0));
  }
  CHECK(f.sinks[0]->delivered.size() == f.source().records_read);
}

TEST_CASE("a stop before the run reads nothing") {
  Fixture f(1, {make_chain(0)});
  f.source().batches = numbered(4);
  auto engine = f.open();
  engine->request_stop();
  CHECK(engine->run().status == ExitStatus::Fine);
  CHECK(f.source().read == 0);
}

TEST_CASE("what a sink cannot deliver in time ends a stopped run with 3") {
  Fixture f(1, {make_chain(0)});
  f.settings.shutdown_deadline = 50ms;
  f.sinks[0]->delivery = SinkScript::Delivery::Held;
  f.source().batches = numbered(10);
  f.source().ends = false;
  auto engine = f.open();
  RunReport report;
  std::thread runner([&] { report = engine->run(); });
  f.source().wait([&] { return f.source().read == 10; });
  engine->request_stop();
  runner.join();
  CHECK(report.status == ExitStatus::Failed);
  CHECK_FALSE(report.drained);
  CHECK(std::ranges::count(f.source().acknowledged, 0) == 10);
}

TEST_CASE("the record limit is met exactly") {
  Fixture f(1, {make_chain(0)});
  f.settings.record_limit = 1;
  f.source().batches = {{"a", "b", "c"}, {"d"}};
  f.source().ends = false;
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.records_read == 1);
  CHECK(values(f.sinks[0]->delivered) == std::vector<std::string>{"a"});
}
