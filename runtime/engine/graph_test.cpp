#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/graph_stages.hpp"
#include "runtime/engine/memory_fixture.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;
using namespace kaspar::engine::test;

namespace {

using Values = std::vector<std::string>;
using Action = ErrorPolicy::Action;

constexpr std::size_t batches = 300;

/// As `make_links`, in batches of 1, 2, 3, 1 … records, with each way to run it.
Fixture make_graph(std::size_t sinks, const std::vector<Link>& links, std::size_t sources = 1) {
  Fixture f(sinks, make_links(links), sources);
  f.settings.threads = GENERATE(1u, 2u);
  f.settings.fuse = GENERATE(true, false);
  const auto delivery = GENERATE(SinkScript::Delivery::AtOnce, SinkScript::Delivery::Later,
                                 SinkScript::Delivery::Copied);
  for (auto& sink : f.sinks) sink->delivery = delivery;
  for (auto& source : f.sources) source->batches = numbered(batches);
  return f;
}

void run_well(Fixture& f) {
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Fine);
  CHECK(report.drained);
  CHECK(f.each_acknowledged_once());
}

/// The values of a source's records, by offset: "OFFSET/trail" for those that `trail` gives one.
template <class Trail>
Values expected(Trail trail) {
  Values out;
  for (const std::string& value : flattened(numbered(batches))) {
    for (const std::string& end : trail(std::stoll(value))) out.push_back(value + end);
  }
  return out;
}

bool same(const SinkScript& sink, const Values& wanted) { return values(sink.delivered) == wanted; }

}  // namespace

TEST_CASE("a fork sends every row to both sinks") {
  Fixture f =
      make_graph(2, {{.name = "a", .inputs = {from_source()}},
                     {.name = "b", .inputs = {from_chain(0)}, .sink = 0},
                     {.name = "c", .inputs = {from_chain(0)}, .rule = {7, 0, 3}, .sink = 1}});
  run_well(f);
  CHECK(same(*f.sinks[0], expected([](auto) { return Values{"/a/b"}; })));
  CHECK(same(*f.sinks[1], expected([](auto n) {
    return HopRule{7, 0, 3}.skip(n) ? Values{} : Values{"/a/c"};
  })));
}

TEST_CASE("a fork at the source") {
  Fixture f = make_graph(2, {{.name = "a", .inputs = {from_source()}, .sink = 0},
                             {.name = "b", .inputs = {from_source()}, .sink = 1}});
  run_well(f);
  CHECK(same(*f.sinks[0], expected([](auto) { return Values{"/a"}; })));
  CHECK(same(*f.sinks[1], expected([](auto) { return Values{"/b"}; })));
}

TEST_CASE("a route sends each row to its arm; arms that nobody reads are dropped") {
  const HopRule rule{5, 0, 0};
  Fixture f = make_graph(2, {{.name = "a", .inputs = {from_source()}, .rule = rule, .arms = 4},
                             {.name = "b", .inputs = {from_chain(0, 0)}, .sink = 0},
                             {.name = "c", .inputs = {from_chain(0, 2)}, .sink = 1}});
  run_well(f);
  const auto only = [](std::int64_t arm, const char* trail) {
    return expected([=](auto n) { return arm_of(n, 7, 4) == arm ? Values{trail} : Values{}; });
  };
  CHECK(same(*f.sinks[0], only(0, "/a/b")));
  CHECK(same(*f.sinks[1], only(2, "/a/c")));
  CHECK(f.sinks[0]->delivered.size() > 100);
  CHECK(f.sinks[1]->delivered.size() > 100);
}

TEST_CASE("arms that are merged again keep the order of their rows") {
  Fixture f = make_graph(1, {{.name = "a", .inputs = {from_source()}, .rule = {5, 0, 0}, .arms = 2},
                             {.name = "b", .inputs = {from_chain(0, 0)}},
                             {.name = "c", .inputs = {from_chain(0, 1)}},
                             {.name = "d", .inputs = {from_chain(1), from_chain(2)}, .sink = 0}});
  run_well(f);
  CHECK(same(*f.sinks[0],
             expected([](auto n) { return Values{arm_of(n, 7, 2) == 0 ? "/a/b/d" : "/a/c/d"}; })));
}

TEST_CASE("two diamonds one below the other make four paths, in the order of the file") {
  Fixture f = make_graph(1, {{.name = "a", .inputs = {from_source()}},
                             {.name = "b", .inputs = {from_chain(0)}},
                             {.name = "c", .inputs = {from_chain(0)}},
                             {.name = "d", .inputs = {from_chain(1), from_chain(2)}},
                             {.name = "e", .inputs = {from_chain(3)}},
                             {.name = "f", .inputs = {from_chain(3)}},
                             {.name = "g", .inputs = {from_chain(4), from_chain(5)}, .sink = 0}});
  run_well(f);
  CHECK(same(*f.sinks[0], expected([](auto) {
    return Values{"/a/b/d/e/g", "/a/c/d/e/g", "/a/b/d/f/g", "/a/c/d/f/g"};
  })));
}

TEST_CASE("a merge of two sources keeps the order of each") {
  Fixture f = make_graph(1,
                         {{.name = "a", .inputs = {from_source(0)}},
                          {.name = "b", .inputs = {from_source(1)}},
                          {.name = "c", .inputs = {from_chain(0), from_chain(1)}, .sink = 0}},
                         2);
  run_well(f);
  Values first, second;
  for (const std::string& value : values(f.sinks[0]->delivered)) {
    (value.find("/a/") != std::string::npos ? first : second).push_back(value);
  }
  CHECK(first == expected([](auto) { return Values{"/a/c"}; }));
  CHECK(second == expected([](auto) { return Values{"/b/c"}; }));
}

TEST_CASE("a chain may read two sources itself") {
  Fixture f =
      make_graph(1, {{.name = "a", .inputs = {from_source(0), from_source(1)}, .sink = 0}}, 2);
  run_well(f);
  CHECK(f.sinks[0]->delivered.size() == 2 * expected([](auto) { return Values{"/a"}; }).size());
}

TEST_CASE("arms that end in the same sink, and dead letters there, keep the order of their rows") {
  const HopRule failing{11, 4, 0};
  const ErrorPolicy to_sink{.action = Action::Sink, .sink = 0};
  Fixture f = make_graph(
      1,
      {{.name = "a", .inputs = {from_source()}, .rule = {5, 0, 0}, .arms = 2},
       {.name = "b", .inputs = {from_chain(0, 1)}, .rule = failing, .sink = 0, .on_error = to_sink},
       {.name = "c", .inputs = {from_chain(0, 0)}, .sink = 0}});
  run_well(f);
  CHECK(same(*f.sinks[0], expected([&](auto n) {
    if (arm_of(n, 7, 2) == 0) return Values{"/a/c"};
    return Values{failing.fail(n) ? "" : "/a/b"};
  })));
}

TEST_CASE("a stream without stages and a row of a branch that nothing is left of") {
  std::vector<ChainPlan> chains =
      make_links({{.name = "a", .inputs = {from_source()}},
                  {.name = "b", .inputs = {from_chain(0)}},
                  {.name = "c", .inputs = {from_chain(1)}, .sink = 0},
                  {.name = "d", .inputs = {from_chain(1)}, .rule = {1, 0, 1}, .sink = 1}});
  chains[1].stages.clear();
  chains[1].segments.clear();
  chains[1].slots.resize(1);
  chains[2].inputs[0].columns[0].from = 0;
  chains[3].inputs[0].columns[0].from = 0;
  Fixture f(2, std::move(chains));
  f.settings.fuse = GENERATE(true, false);
  f.source().batches = numbered(batches);
  run_well(f);
  CHECK(same(*f.sinks[0], expected([](auto) { return Values{"/a/c"}; })));
  CHECK(f.sinks[1]->delivered.empty());
}

TEST_CASE("counters are kept by chain and stage, over all its paths") {
  Fixture f = make_graph(
      1, {{.name = "a", .inputs = {from_source()}},
          {.name = "b", .inputs = {from_chain(0)}},
          {.name = "c", .inputs = {from_chain(0)}},
          {.name = "d", .inputs = {from_chain(1), from_chain(2)}, .rule = {3, 5, 0}, .sink = 0}});
  const RunReport report = f.run();
  const std::uint64_t read = f.source().records_read;
  CHECK(report.records_read == read);
  CHECK(report.chains[0].stages[0].records_in == read);
  CHECK(report.chains[3].stages[0].records_in == 2 * read);
  CHECK(report.chains[3].stages[0].errors == report.dropped);
  CHECK(report.chains[3].records_written == 2 * read - report.dropped);
  CHECK(report.dropped > 0);
}

TEST_CASE("policy `fail` in a branch: rows before it are written there, none after it") {
  const HopRule rule{13, 500, 0};
  Fixture f = make_graph(2, {{.name = "a", .inputs = {from_source()}, .rule = {5, 0, 0}, .arms = 2},
                             {.name = "b",
                              .inputs = {from_chain(0, 0)},
                              .rule = rule,
                              .sink = 0,
                              .on_error = {.action = Action::Fail}},
                             {.name = "c", .inputs = {from_chain(0, 1)}, .sink = 0},
                             {.name = "d", .inputs = {from_chain(0, 1)}, .sink = 1}});
  // The first row that fails where it can.
  std::int64_t end = 0;
  while (!(rule.fail(end) && arm_of(end, 7, 2) == 0)) ++end;
  f.source().batches = numbered(static_cast<std::size_t>(end) / 2 + 60);
  const RunReport report = f.run();
  CHECK(report.status == ExitStatus::Failed);
  REQUIRE(report.failure);
  CHECK(report.failure->message.find("K0902") != std::string::npos);
  Values wanted;
  std::int64_t n = 0;
  for (; n < end; ++n) {
    wanted.push_back(std::to_string(n) + (arm_of(n, 7, 2) == 0 ? "/a/b" : "/a/c"));
  }
  CHECK(values(f.sinks[0]->delivered) == wanted);
  // The other sink may be behind or ahead, but it has no gap and no other order.
  Values other;
  for (n = 0; n < 10'000; ++n) {
    if (arm_of(n, 7, 2) == 1) other.push_back(std::to_string(n) + "/a/d");
  }
  const Values got = values(f.sinks[1]->delivered);
  REQUIRE(got.size() <= other.size());
  CHECK(std::ranges::equal(got, std::span(other).first(got.size())));
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < f.source().batches.size(); ++i) {
    offset += static_cast<std::int64_t>(f.source().batches[i].size());
    CHECK(f.source().acknowledged[i] == (offset <= end ? 1 : 0));
  }
}

TEST_CASE("a memory budget far below a batch still lets a graph run") {
  Fixture f = make_graph(1, {{.name = "a", .inputs = {from_source()}},
                             {.name = "b", .inputs = {from_chain(0)}},
                             {.name = "c", .inputs = {from_chain(0)}},
                             {.name = "d", .inputs = {from_chain(1), from_chain(2)}, .sink = 0}});
  f.settings.memory_budget = 2;
  run_well(f);
  CHECK(same(*f.sinks[0], expected([](auto) { return Values{"/a/b/d", "/a/c/d"}; })));
}
