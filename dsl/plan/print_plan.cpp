#include "dsl/plan/print_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>
#include <optional>

namespace kaspar::dsl {
namespace {

using Out = std::back_insert_iterator<std::string>;

constexpr std::size_t longest_text = 80;  // bytes of a record of a test

std::string policy(const Plan& plan, const ErrorPolicy& policy) {
  switch (policy.action) {
    case ErrorPolicy::Action::Fail:
      return "fail";
    case ErrorPolicy::Action::Drop:
      return "drop";
    case ErrorPolicy::Action::Sink:
      return plan.sinks[policy.sink].name;
  }
  return {};
}

void print_input(Out out, const Plan& plan, const ChainInput& input) {
  if (input.source) {
    fmt::format_to(out, "  from source {} {}\n", *input.source, plan.sources[*input.source].name);
    return;
  }
  fmt::format_to(out, "  from chain {}", input.chain);
  if (input.arm) fmt::format_to(out, " arm {}", *input.arm);
  for (const ColumnBinding& column : input.columns) {
    fmt::format_to(out, " #{}=#{}", column.to, column.from);
  }
  fmt::format_to(out, "\n");
}

void print_chain(Out out, const Plan& plan, std::size_t index) {
  const ChainPlan& chain = plan.chains[index];
  fmt::format_to(out, "chain {}", index);
  if (!chain.name.empty()) fmt::format_to(out, " {}", chain.name);
  if (chain.best_effort) fmt::format_to(out, " best_effort");
  if (chain.queue_rows != 0) fmt::format_to(out, " queue {} rows", chain.queue_rows);
  fmt::format_to(out, "\n");
  for (const ChainInput& input : chain.inputs) print_input(out, plan, input);
  for (std::size_t slot = 0; slot < chain.slots.size(); ++slot) {
    fmt::format_to(out, "  slot #{} {}: {}{}\n", slot, chain.slots[slot].name,
                   to_string(chain.slots[slot].type), slot < chain.inherited ? " inherited" : "");
  }
  for (const Segment& segment : chain.segments) {
    fmt::format_to(out, "  segment [{}, {})\n", segment.first, segment.last);
  }
  for (std::size_t i = 0; i < chain.stages.size(); ++i) {
    const StagePlan& stage = chain.stages[i];
    fmt::format_to(out, "  stage {} {} = {}", i, stage.word,
                   stage.node == nullptr ? "?" : stage.node->name);
    for (const Slot slot : stage.writes) fmt::format_to(out, " #{}", slot);
    if (stage.implicit) fmt::format_to(out, " implicit");
    if (stage.resource) fmt::format_to(out, " with a resource");
    if (stage.fallible) fmt::format_to(out, " else {}", policy(plan, stage.on_error));
    fmt::format_to(out, "\n");
  }
  if (chain.arm) fmt::format_to(out, "  route by #{}\n", *chain.arm);
  if (chain.sink) {
    fmt::format_to(out, "  to sink {} {}\n", *chain.sink, plan.sinks[*chain.sink].name);
  }
}

std::string shown(std::string_view text) {
  if (text.size() <= longest_text) return fmt::format("{:?}", text);
  return fmt::format("{} bytes", text.size());
}

std::string shown(const TestValue& value) {
  switch (value.kind) {
    case TestValue::Kind::Null:
      return "null";
    case TestValue::Kind::Text:
      return shown(value.text);
    case TestValue::Kind::Json:
      return "json " + shown(value.text);
  }
  return {};
}

void print_headers(Out out, const std::vector<TestHeader>& headers) {
  for (const TestHeader& header : headers) {
    fmt::format_to(out, " headers[{:?}] {}", header.name, shown(header.value));
  }
}

void print_feed(Out out, const Plan& plan, const TestFeed& feed) {
  fmt::format_to(out, "  feed {} key {} value {}", plan.sources[feed.source].name, shown(feed.key),
                 shown(feed.value));
  print_headers(out, feed.headers);
  if (feed.timestamp != -1) fmt::format_to(out, " timestamp {}", feed.timestamp);
  fmt::format_to(out, "\n");
}

void print_expectation(Out out, const Plan& plan, const TestExpectation& expected) {
  fmt::format_to(out, "  expect {}", plan.sinks[expected.sink].name);
  if (expected.none) fmt::format_to(out, " none");
  if (expected.key) fmt::format_to(out, " key {}", shown(*expected.key));
  if (expected.value) fmt::format_to(out, " value {}", shown(*expected.value));
  print_headers(out, expected.headers);
  if (expected.timestamp) fmt::format_to(out, " timestamp {}", *expected.timestamp);
  if (expected.tolerance != 0) fmt::format_to(out, " tolerance {}", expected.tolerance);
  const auto text = [&](std::string_view name, const std::optional<std::string>& value) {
    if (value) fmt::format_to(out, " {} {}", name, shown(std::string_view{*value}));
  };
  text("raw", expected.raw);
  text("stage", expected.stage);
  text("code", expected.code);
  text("message", expected.message);
  text("topic", expected.topic);
  if (expected.partition) fmt::format_to(out, " partition {}", *expected.partition);
  if (expected.offset) fmt::format_to(out, " offset {}", *expected.offset);
  fmt::format_to(out, "\n");
}

}  // namespace

std::string print_plan(const Plan& plan) {
  std::string text;
  const Out out = std::back_inserter(text);
  for (std::size_t i = 0; i < plan.sinks.size(); ++i) {
    const EndpointPlan& sink = plan.sinks[i];
    if (sink.best_effort) {
      fmt::format_to(out, "sink {} {} best_effort queue {} rows\n", i, sink.name, sink.queue);
    }
  }
  for (std::size_t i = 0; i < plan.chains.size(); ++i) print_chain(out, plan, i);
  for (const TestPlan& test : plan.tests) {
    fmt::format_to(out, "test {:?} at {}:{}\n", test.name, test.place.line, test.place.column);
    for (const TestFeed& feed : test.feeds) print_feed(out, plan, feed);
    for (const TestExpectation& expected : test.expectations) {
      print_expectation(out, plan, expected);
    }
  }
  return text;
}

}  // namespace kaspar::dsl
