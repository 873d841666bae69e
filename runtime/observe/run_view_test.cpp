#include "runtime/observe/run_view.hpp"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "runtime/observe/liveness.hpp"
#include "runtime/observe/metrics.hpp"
#include "runtime/observe/progress_line.hpp"
#include "runtime/observe/repeated_events.hpp"
#include "runtime/observe/run_view_fixture.hpp"
#include "runtime/observe/status_json.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::observe;
using namespace kaspar::observe::test;
using namespace std::chrono_literals;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a plan is seen as its endpoints and the stages that the file has") {
  const SeenRun run;
  std::string seen;
  for (const GraphNode& node : run.graph->nodes()) seen += node.label + "|";
  CHECK(seen == "windows|parse csv as Window|filter x > 0|to labels|labels|dead|");
  std::string edges;
  for (const GraphEdge& edge : run.graph->edges()) {
    const EdgeCounts counts = run.graph->counts(edge, run.view.now);
    edges += std::to_string(edge.from) + (edge.errors ? "!" : ">") + std::to_string(edge.to) + ":" +
             std::to_string(counts.records) + "/" + std::to_string(counts.queue) + " ";
  }
  // What fails while operands are computed fails in the stage that they are for.
  CHECK(edges == "0>1:98/2 1>2:94/0 2>3:70/0 3>4:60/10 1!5:4/0 ");
  CHECK(run.graph->counts(run.graph->node_of(0, 1), run.view.now).failed == 1);
}

TEST_CASE("metrics tell of stages, sinks, codes and partitions") {
  const SeenRun run;
  const std::string text = metrics_text(run.view);
  for (const char* line :
       {"kaspar_build_info{version=\"1.2.3\",pipeline=\"x\"} 1",
        "kaspar_records_total{stage=\"parse\",place=\"8:6\",outcome=\"passed\"} 94",
        "kaspar_records_total{stage=\"parse\",place=\"8:6\",outcome=\"failed\"} 4",
        "kaspar_records_total{stage=\"filter\",place=\"9:6\",outcome=\"filtered\"} 23",
        "kaspar_source_records_total{source=\"windows\"} 100",
        "kaspar_sink_records_total{sink=\"labels\",kind=\"result\"} 60",
        "kaspar_sink_records_total{sink=\"dead\",kind=\"dead_letter\"} 5",
        "kaspar_error_rows_total{code=\"K0902\"} 5",
        "kaspar_lag_records{topic=\"in\",partition=\"0\"} 50",
        "kaspar_batch_seconds_bucket{le=\"0.0025\"} 99", "kaspar_batch_seconds_count 100",
        "kaspar_batch_seconds_bucket{le=\"+Inf\"} 100"}) {
    INFO(line);
    CHECK(contains(text, std::string{line} + "\n"));
  }
  // Of a partition whose end is not known nothing is told.
  CHECK_FALSE(contains(text, "kaspar_lag_records{topic=\"in\",partition=\"1\"}"));
}

TEST_CASE("the table of metrics in deploy/observability is the one of the code") {
  const std::string path = "deploy/observability/metrics.md";
  const std::string wanted =
      "# Metrics\n\nMade from `runtime/observe/metric_descriptors.cpp`; `KASPAR_UPDATE=1` and the "
      "unit "
      "test of `runtime/observe` write it anew.\n\n" +
      metrics_table();
  if (std::getenv("KASPAR_UPDATE") != nullptr) std::ofstream(path) << wanted;
  std::ifstream file(path);
  CHECK(std::string(std::istreambuf_iterator<char>(file), {}) == wanted);
}

TEST_CASE("every metric that is told has a descriptor, and the other way round") {
  SeenRun run;
  run.plan.chains[0].best_effort = true;
  const std::string text = metrics_text(run.view);
  for (const MetricDescriptor& metric : metric_descriptors()) {
    if (metric.name.starts_with("kaspar_model")) continue;  // there is none here
    INFO(metric.name);
    CHECK(contains(text, "# HELP " + std::string{metric.name} + " "));
  }
}

TEST_CASE("hostile names stay inside their strings") {
  const std::string hostile = "</script><img src=x onerror=alert(1)>\"\\\n\x1b[2J\xff";
  SeenRun run(hostile);
  run.view.now.sources[0].members.push_back({.id = hostile, .client = hostile, .host = hostile});
  run.facts.text = hostile;
  const std::string json = status_json(run.view, true);
  CHECK(contains(json, R"(\"\\\n\u001b[2J)"));
  CHECK(json.find('\n') == std::string::npos);
  CHECK(json.find('\x1b') == std::string::npos);
  CHECK(json.find('\xff') == std::string::npos);
  const std::string metrics = metrics_text(run.view);
  CHECK(contains(metrics, R"(onerror=alert(1)>\"\\\n)"));
}

TEST_CASE("error rows tell code and place, and a state has a name") {
  SeenRun run;
  const std::string json = status_json(run.view, false);
  CHECK(contains(json, R"("code":"K0902")"));
  CHECK(contains(json, R"("place":"9:6","topic":"in","partition":1,"offset":7)"));
  CHECK(contains(json, R"("state":"running")"));
  CHECK(contains(json, R"("lag":50)"));
  run.view.now.sources[0].unreachable = true;
  CHECK(state_of(run.view.now) == "unreachable");
  run.view.now.draining = true;
  CHECK(state_of(run.view.now) == "draining");
}

TEST_CASE("a line tells how it goes, and is never wider than the terminal") {
  SeenRun run;
  run.view.recent.read = 12'345;
  run.view.recent.batches.buckets[3] = 10;
  CHECK(contains(progress_line(run.view, 200),
                 "12.3 k/s in · 0/s out · lag 50 · 5 errors · p99 2.5 ms"));
  CHECK(progress_line(run.view, 14) == "12.3 k/s in · ");
}

TEST_CASE("alive is what ends its work, whatever brokers do") {
  const Liveness::Clock::time_point begin{};
  Liveness liveness(60s, begin);
  RunSnapshot now{.opened = true};
  now.batches_in_flight = 64;  // brokers confirm nothing
  CHECK(liveness.look(now, begin + 1h));
  now.computing = 1;
  CHECK(liveness.look(now, begin + 1h + 59s));
  CHECK_FALSE(liveness.look(now, begin + 1h + 61s));
  now.computed = 1;
  CHECK(liveness.look(now, begin + 1h + 62s));
  now.driver_idle = 61s;
  CHECK_FALSE(liveness.look(now, begin + 1h + 63s));
  now.draining = true;
  CHECK(liveness.look(now, begin + 1h + 64s));
}

TEST_CASE("warnings that repeat themselves are counted") {
  RepeatedEvents events;
  const RepeatedEvents::Clock::time_point begin{};
  const auto tells = [&](LogLevel level, const char* message, std::chrono::seconds at) {
    return events.tells(level, "e", message, {{"error", "x"}}, begin + at);
  };
  CHECK(tells(LogLevel::Warning, "a", 0s));
  CHECK_FALSE(tells(LogLevel::Warning, "a", 1s));
  CHECK_FALSE(tells(LogLevel::Warning, "a", 2s));
  CHECK(tells(LogLevel::Warning, "b", 3s));
  CHECK(tells(LogLevel::Info, "a", 3s));
  CHECK(tells(LogLevel::Info, "a", 3s));
  CHECK(events.due(begin + 9s).empty());
  const auto due = events.due(begin + 11s);
  REQUIRE(due.size() == 1);
  CHECK(due[0].message == "a");
  CHECK(due[0].count == 2);
  CHECK(due[0].fields.at(0).second == "x");
  CHECK(tells(LogLevel::Warning, "a", 12s));
}
