#include "runtime/cli/test_runner.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "runtime/cli/test_endpoints.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/engine/engine.hpp"

namespace kaspar::cli {
namespace {

/// What goes wrong is told by the test's outcome.
class SilentLog final : public EventLog {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) noexcept override {}
};

using Captured = std::vector<std::vector<CapturedRecord>>;

std::optional<Failure> run_once(const Plan& plan, const TestPlan& test, Captured& captured) {
  FeedSchedule schedule(plan, test);
  engine::Endpoints endpoints;
  for (const std::size_t source : schedule.sources()) {
    endpoints.sources[source] = std::make_unique<FeedSource>(schedule, source);
  }
  for (std::size_t sink = 0; sink < plan.sinks.size(); ++sink) {
    endpoints.sinks[sink] = std::make_unique<CaptureSink>(captured[sink]);
  }
  SilentLog log;
  const RunSettings settings{.lossless_best_effort = true};
  const RunContext context{.settings = settings, .log = log};
  engine::Engine engine(plan, context, std::move(endpoints));
  if (auto opened = engine.open(); !opened) return opened.error();
  return engine.run().failure;
}

}  // namespace

TestRunner::TestRunner(const Plan& plan) : plan_(plan), ending_(plan.sinks.size()) {
  EndpointPlan& ending = plan_.sinks.emplace_back();
  ending.name = "fail";
  for (ChainPlan& chain : plan_.chains) {
    for (StagePlan& stage : chain.stages) {
      if (stage.on_error.action == ErrorPolicy::Action::Fail) {
        stage.on_error = {.action = ErrorPolicy::Action::Sink, .sink = ending_};
      }
    }
  }
}

TestOutcome TestRunner::run(const TestPlan& test) const {
  const auto begin = std::chrono::steady_clock::now();
  Captured captured(plan_.sinks.size());
  const std::optional<Failure> failure = run_once(plan_, test, captured);
  TestOutcome outcome{.name = test.name, .place = test.place};
  std::vector<CapturedRecord> ending = std::exchange(captured[ending_], {});
  if (failure) {
    outcome.failures.push_back(
        {.place = test.place, .message = failure->message, .expected = {}, .got = {}});
  } else if (!ending.empty()) {
    outcome.failures.push_back(
        unexpected_error(ending.front(), "which ends the run (`fail`)", test.place));
  } else {
    outcome.failures = compare(plan_, test, captured);
  }
  outcome.time = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  return outcome;
}

}  // namespace kaspar::cli
