// What the reference shows is true: the examples of functions and of the stages with expressions.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;

namespace {

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry registry;
    nodes::register_all(registry);
    return registry;
  }();
  return filled;
}

Plan compiled(const std::string& stages, const std::string& after = {}) {
  const std::string text = fmt::format(R"(pipe 1
schema Order {{
  amount: f64, price: f64, total: f64, temperature: f64?, count: i64, hits: i64, n: i64,
  country: string, customer: string
}}
source orders = stdin {{ }}
sink out = stdout {{ }}
on error drop
from orders
  |> parse csv as Order
  {}
{}
)",
                                       stages, after);
  dsl::Compiled result = dsl::compile_text("examples.pipe", text, registry(), {});
  INFO(text);
  for (const dsl::Diagnostic& entry : result.diagnostics.entries()) {
    if (entry.severity == dsl::Severity::Error) FAIL(name_of(entry.code) << ": " << entry.message);
  }
  REQUIRE(result.plan.has_value());
  return std::move(*result.plan);
}

}  // namespace

TEST_CASE("the examples of every function are true") {
  for (const auto& function : registry().functions()) {
    REQUIRE_FALSE(function->examples.empty());
    for (const std::string_view example : function->examples) {
      INFO(example);
      REQUIRE(example.find(std::string{function->name} + "(") != example.npos);
      const Plan plan = compiled(fmt::format("|> derive {{ is = {} }} |> to out", example));
      const ChainPlan& chain = plan.chains.at(0);
      const StagePlan& derive = chain.stages.at(1);
      REQUIRE(derive.word == "derive");
      const auto work = derive.node->make_operator({derive.call, derive.writes, derive.resource});
      const auto state = work->make_state();
      RecordBatch records;
      records.records.push_back({.timestamp = 1'234'567'890'123});
      Batch batch(chain.slots, 1);
      batch.reset(records);
      work->process(batch, state.get());
      CHECK(batch.errors().empty());
      CHECK(*batch.column(derive.writes.at(0)).row<bool>(0));
    }
  }
}

TEST_CASE("the examples of the stages with expressions compile") {
  for (const std::string_view word : {"filter", "derive", "keep", "route"}) {
    const NodeDescriptor& stage = *registry().find(NodeRole::Stage, word);
    REQUIRE_FALSE(stage.examples.empty());
    for (const std::string_view example : stage.examples) {
      INFO(example);
      std::string after;
      for (const std::string_view arm : {"large", "domestic", "others", "trial"}) {
        if (example.find(fmt::format("=> {}", arm)) == example.npos) continue;
        after += fmt::format("from {} |> to out {{ value: amount }}\n", arm);
      }
      compiled(fmt::format("{}{}", example, word == "route" ? "" : " |> to out"), after);
    }
  }
}
