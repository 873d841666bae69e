#include "runtime/cli/evaluation_plan.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/cli/evaluation_endpoints.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/engine/graph_stages.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::cli;
using namespace kaspar::engine::test;

namespace {

/// Writes its key and value operands, as the real one does.
class ToOperand final : public Operator {
 public:
  explicit ToOperand(const StageBinding& binding)
      : slot_(binding.call.operands.at(1).expression.slot) {}
  void process(Batch& batch, OperatorState*) const noexcept override {
    for (const Row row : batch.alive()) {
      batch.outputs().push_back({.key = batch.record(row).key,
                                 .value = *batch.column(slot_).row<std::string_view>(row),
                                 .row = row,
                                 .has_key = true});
    }
  }

 private:
  Slot slot_;
};

NodeRegistry make_registry() {
  NodeRegistry registry;
  registry.add({.role = NodeRole::Stage, .name = "to", .make_operator = make_bound<ToOperand>});
  return registry;
}

/// The first hop of these chains is an `apply` that has a label.
Plan make(const std::vector<Link>& links, const std::vector<std::size_t>& models) {
  Plan plan = make_plan(make_links(links), 3);
  plan.sources.push_back({.name = "others"});
  for (const std::size_t chain : models) {
    plan.chains[chain].stages[0].word = "apply";
    for (const Slot slot : plan.chains[chain].stages[0].writes) {
      plan.chains[chain].slots[slot].name = "y.label";
    }
  }
  return plan;
}

/// What each of so many rows becomes: the label, an error's code or "-".
std::vector<std::string> evaluated(const Plan& plan, std::size_t count) {
  std::vector<std::string> rows;
  for (std::size_t i = 0; i < count; ++i) rows.push_back("r" + std::to_string(i));
  std::vector<RowOutcome> outcomes(count);
  SilentLog log;
  const RunSettings settings{.threads = 2, .lossless_best_effort = true};
  const RunContext context{.settings = settings, .log = log};
  engine::Endpoints endpoints;
  endpoints.sources[0] = std::make_unique<RowSource>(rows);
  endpoints.sinks[0] = std::make_unique<OutcomeSink>(outcomes);
  engine::Engine engine(plan, context, std::move(endpoints));
  REQUIRE(engine.open().has_value());
  CHECK(engine.run().status == ExitStatus::Fine);
  std::vector<std::string> out;
  for (const RowOutcome& outcome : outcomes) {
    out.emplace_back(outcome.error ? name_of(*outcome.error) : outcome.value.value_or("-"));
  }
  return out;
}

const ErrorPolicy to_dead{.action = ErrorPolicy::Action::Sink, .sink = 2};

}  // namespace

TEST_CASE("what is evaluated is the label's chain and those above it") {
  const NodeRegistry registry = make_registry();
  const HopRule failing{3, 4, 0};
  // others |> a; in |> b (route) |> c (model) |> d, and the other arm |> e
  const Plan plan =
      make({{.name = "a", .inputs = {from_source(1)}, .sink = 0},
            {.name = "b", .inputs = {from_source(0)}, .rule = {9, 0, 0}, .arms = 2},
            {.name = "c", .inputs = {from_chain(1, 1)}, .rule = failing, .on_error = to_dead},
            {.name = "d", .inputs = {from_chain(2)}, .sink = 1},
            {.name = "e", .inputs = {from_chain(1, 0)}, .sink = 1}},
           {2});
  const auto made = make_evaluation_plan(plan, registry, "");
  REQUIRE(made.has_value());
  REQUIRE(made->chains.size() == 2);
  CHECK(made->sources.size() == 1);
  CHECK(made->sinks.size() == 1);
  CHECK(made->chains[0].name == "b");
  CHECK(made->chains[0].inputs[0].source == 0u);
  CHECK(made->chains[1].inputs[0].chain == 0);
  CHECK(made->chains[1].inputs[0].arm == 1u);
  const auto outcomes = evaluated(*made, 500);
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const auto offset = static_cast<std::int64_t>(i);
    const std::string row = "r" + std::to_string(i);
    CHECK(outcomes[i] == (arm_of(offset, 11, 2) != 1 ? "-"
                          : failing.fail(offset)     ? "K0902"
                                                     : row + "/b/c"));
  }
}

TEST_CASE("a chain that ends in a route ends in the label instead") {
  const NodeRegistry registry = make_registry();
  Plan plan = make({{.name = "a", .inputs = {from_source()}, .rule = {9, 0, 0}, .arms = 2},
                    {.name = "b", .inputs = {from_chain(0, 0)}, .sink = 0},
                    {.name = "c", .inputs = {from_chain(0, 1)}, .sink = 1}},
                   {0});
  plan.chains[0].best_effort = true;
  plan.chains[0].queue_rows = 1;
  const auto made = make_evaluation_plan(plan, registry, "");
  REQUIRE(made.has_value());
  REQUIRE(made->chains.size() == 1);
  CHECK_FALSE(made->chains[0].arm);
  CHECK(made->chains[0].sink == 0u);
  CHECK_FALSE(made->chains[0].best_effort);
  CHECK(evaluated(*made, 3) == std::vector<std::string>{"r0/a", "r1/a", "r2/a"});
}

TEST_CASE("the label of an `apply` is taken there, that of a stream behind its filters") {
  const NodeRegistry registry = make_registry();
  Plan plan = make({{.name = "a", .inputs = {from_source()}, .rule = {5, 0, 0}, .sink = 0}}, {0});
  ChainPlan& chain = plan.chains[0];
  StagePlan hiding =
      make_link({.name = "x", .inputs = {from_source()}, .rule = {1, 0, 1}}).stages[0];
  hiding.writes = {static_cast<Slot>(chain.slots.size())};
  chain.slots.push_back({.name = "hidden", .type = {.scalar = ScalarType::String}});
  chain.stages.insert(chain.stages.end() - 1, hiding);
  for (const char* label : {"", "y.label"}) {
    const auto made = make_evaluation_plan(plan, registry, label);
    REQUIRE(made.has_value());
    CHECK(evaluated(*made, 2) == std::vector<std::string>{"r0/a", "r1/a"});
  }
  const auto of_stream = make_evaluation_plan(plan, registry, "a.y.label");
  REQUIRE(of_stream.has_value());
  CHECK(evaluated(*of_stream, 2) == std::vector<std::string>{"-", "-"});
}

TEST_CASE("stages that only compute what the sink's own `to` reads are left out") {
  const NodeRegistry registry = make_registry();
  Plan plan = make({{.name = "a", .inputs = {from_source()}, .sink = 0}}, {0});
  StagePlan implicit =
      make_link({.name = "x", .inputs = {from_source()}, .rule = {1, 1, 0}}).stages[0];
  implicit.implicit = true;
  implicit.writes = {static_cast<Slot>(plan.chains[0].slots.size())};
  plan.chains[0].slots.push_back({.name = "hidden", .type = {.scalar = ScalarType::String}});
  plan.chains[0].stages.insert(plan.chains[0].stages.end() - 1, implicit);
  const auto made = make_evaluation_plan(plan, registry, "");
  REQUIRE(made.has_value());
  CHECK(evaluated(*made, 2) == std::vector<std::string>{"r0/a", "r1/a"});
}

TEST_CASE("columns are named by themselves or with their stream") {
  const NodeRegistry registry = make_registry();
  const Plan plan = make({{.name = "a", .inputs = {from_source()}},
                          {.name = "b", .inputs = {from_chain(0)}, .sink = 0},
                          {.name = "c", .inputs = {from_chain(0)}, .sink = 1}},
                         {1, 2});
  const auto unclear = make_evaluation_plan(plan, registry, "");
  REQUIRE_FALSE(unclear.has_value());
  CHECK(unclear.error() ==
        "2 columns could be compared: b.y.label, c.y.label; say which with --label");
  CHECK_FALSE(make_evaluation_plan(plan, registry, "y.label").has_value());
  const auto made = make_evaluation_plan(plan, registry, "c.y.label");
  REQUIRE(made.has_value());
  CHECK(evaluated(*made, 1) == std::vector<std::string>{"r0/a/c"});
  const auto before = make_evaluation_plan(plan, registry, "a.trail");
  REQUIRE(before.has_value());
  CHECK(evaluated(*before, 1) == std::vector<std::string>{"r0/a"});
  // The stream has it from the one before.
  const auto inherited = make_evaluation_plan(plan, registry, "b.trail");
  REQUIRE(inherited.has_value());
  CHECK(evaluated(*inherited, 1) == std::vector<std::string>{"r0/a"});
  CHECK(make_evaluation_plan(plan, registry, "d.trail").error() ==
        "no chain of the file has the column `d.trail`");
}

TEST_CASE("a label whose rows come from two sources is refused") {
  const NodeRegistry registry = make_registry();
  const Plan plan =
      make({{.name = "a", .inputs = {from_source(0), from_source(1)}, .sink = 0}}, {0});
  CHECK(make_evaluation_plan(plan, registry, "").error() ==
        "the rows of `y.label` come from several sources (in, others), and a file of labelled rows "
        "is one");
}
