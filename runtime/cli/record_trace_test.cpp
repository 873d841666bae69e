#include "runtime/cli/record_trace.hpp"

#include "runtime/cli/record_name.hpp"
#include "runtime/cli/trace_text.hpp"
#include "runtime/engine/graph_stages.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::cli;
using namespace kaspar::engine::test;

namespace {

/// a (route) |> b to sink 0, or |> c to sink 1; failed rows of `a` to sink 2.
Plan forked() {
  const ErrorPolicy to_dead{.action = ErrorPolicy::Action::Sink, .sink = 2};
  return make_plan(make_links({{.name = "a",
                                .inputs = {from_source(0)},
                                .rule = {9, 3, 4},
                                .arms = 2,
                                .on_error = to_dead},
                               {.name = "b", .inputs = {from_chain(0, 0)}, .sink = 0},
                               {.name = "c", .inputs = {from_chain(0, 1)}, .sink = 1}}),
                   3);
}

TracedRecord record(std::int64_t offset) {
  return {.topic = "in", .partition = 2, .offset = offset, .key = "k", .value = "v"};
}

}  // namespace

TEST_CASE("a record takes the way that it takes in a run") {
  const Plan plan = forked();
  const HopRule rule{9, 3, 4};
  for (std::int64_t offset = 0; offset < 200; ++offset) {
    const auto traced = trace_record(plan, record(offset), {});
    REQUIRE(traced.size() >= 1);
    const TracedStage& hop = traced[0].stages.at(0);
    if (rule.fail(offset)) {
      REQUIRE(traced.size() == 1);
      CHECK(hop.outcome == TracedStage::Outcome::Failed);
      CHECK(hop.code == DiagnosticCode::K0902);
      REQUIRE(traced[0].outputs.size() == 1);
      const TracedOutput& letter = traced[0].outputs[0];
      CHECK(letter.dead_letter);
      CHECK(letter.sink == 2);
      CHECK(letter.key == "k");
      CHECK(letter.value == "v");
      CHECK(letter.headers.at(1).second == "K0902");
    } else if (rule.skip(offset)) {
      CHECK(traced.size() == 1);
      CHECK(hop.outcome == TracedStage::Outcome::Filtered);
      CHECK(traced[0].outputs.empty());
    } else {
      REQUIRE(traced.size() == 2);
      CHECK(hop.columns.at(0).second == "\"v/a\"");
      const auto arm = static_cast<std::size_t>(arm_of(offset, 11, 2));
      CHECK(traced[1].chain == 1 + arm);
      REQUIRE(traced[1].outputs.size() == 1);
      CHECK(traced[1].outputs[0].sink == arm);
      CHECK(traced[1].outputs[0].value == (arm == 0 ? "v/a/b" : "v/a/c"));
    }
  }
}

TEST_CASE("a result that is larger than its sink takes fails, as in a run") {
  const Plan plan =
      make_plan(make_links({{.name = "a", .inputs = {from_source(0)}, .sink = 0}}), 1);
  const auto traced = trace_record(plan, record(1), {{0, 3}});
  REQUIRE(traced.size() == 1);
  CHECK(traced[0].stages.back().outcome == TracedStage::Outcome::Failed);
  CHECK(traced[0].stages.back().code == DiagnosticCode::K0908);
  CHECK(traced[0].outputs.empty());  // its policy is `drop`
}

TEST_CASE("what is printed is one line a thing, whatever the record holds") {
  const Plan plan =
      make_plan(make_links({{.name = "a", .inputs = {from_source(0)}, .sink = 0}}), 1);
  TracedRecord hostile = record(1);
  hostile.key = "\x1b[2J\n\xff";
  hostile.value = std::nullopt;
  const auto traced = trace_record(plan, hostile, {});
  const std::string people = trace_for_people(plan, hostile, traced, {}, false);
  CHECK(people.find('\x1b') == std::string::npos);
  CHECK(people.find("value = null\n") != std::string::npos);
  const std::string json = trace_json(plan, hostile, traced, {});
  CHECK(json.find('\n') == std::string::npos);
  CHECK(json.find(R"("offset":1,"key":"base64:)") != std::string::npos);
}

TEST_CASE("a record is named by topic, partition and offset") {
  const auto name = parse_record_name("a.b:1:42");
  REQUIRE(name);
  CHECK(name->topic == "a.b");
  CHECK(name->partition == 1);
  CHECK(name->offset == 42);
  for (const char* wrong : {"", "a", "a:1", ":1:2", "a:b:1", "a:1:", "a:1:x", "a:-1:2", "a:1:2x"}) {
    CHECK_FALSE(parse_record_name(wrong));
  }
}
