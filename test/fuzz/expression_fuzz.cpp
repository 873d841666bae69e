// Any text as an expression, and any lines as CSV rows that it is computed from: what passes the
// checker gives what the reference evaluator gives, in the rows that the checker says can fail and
// no others. The expression ends at a line `---`; rows follow, and some that are always there.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/expression/reference_evaluator.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/core/batch.hpp"

namespace {

using namespace kaspar;
using nodes::expression::ReferenceEvaluator;
using nodes::expression::value_of_cell;

constexpr std::string_view head = R"(pipe 1

param limit: f64 = 0.5
param word: string = "wörd"

schema Row {
  flag: bool, i: i64, n: i64?, f: f32, d: f64, o: f64?, s: string, t: string?, b: bytes, at: timestamp,
  took: duration, maybe: bool?, v: f32[3], w: f64[2],
}

fn twice(x: f64): f64 = x + x
fn within(x: i64, low: i64, high: i64): bool = low <= x and x < high

source rows = file { path: "rows.csv" }
sink   out  = file { path: "out.json" }

on error drop

from rows
  |> parse csv as Row
  |> derive { result =
)";
constexpr std::string_view tail = R"(
  }
  |> to out { value: 1 }
)";

constexpr std::string_view usual_rows[] = {
    "true,7,8,0.5,2.5,3.5,text,other,raw,2026-11-24T04:30:00Z,1500,false,1,2,3,4,5",
    "false,0,,0,0,,,,,1969-12-31T23:59:59Z,0,,0,0,0,0,0",
    "true,9223372036854775807,-9223372036854775808,nan,inf,-inf, Grüße 🗾 "
    ",x,ÿ,0,-1,true,nan,inf,-inf,1e308,-1e-308",
    "false,-9223372036854775808,-1,-0.0,1e300,nan,\"a,\"\"b\",\"\",z,9000000000000,86400000,false,-"
    "1,1e38,1e-40,0.1,-0.0",
};

void require(bool holds) {
  if (!holds) std::abort();
}

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry made;
    nodes::register_all(made);
    return made;
  }();
  return filled;
}

void process(const ChainPlan& chain, std::size_t index, Batch& batch) {
  const StagePlan& stage = chain.stages[index];
  const auto work = stage.node->make_operator(
      {.call = stage.call, .writes = stage.writes, .resource = stage.resource});
  const auto state = work->make_state();
  batch.begin_stage(static_cast<std::uint32_t>(index));
  if (!batch.alive().empty()) work->process(batch, state.get());
  batch.end_stage();
}

/// Of the last stage that ran.
bool failed(const Batch& batch, Row row, DiagnosticCode code) {
  for (const RowError& error : batch.errors()) {
    if (error.row == row) return error.code == code;
  }
  return false;
}

void compare(const ChainPlan& chain, const std::vector<std::string_view>& lines) {
  RecordBatch records;
  records.spans.push_back({.topic = "topic", .partition = 1});
  for (const std::string_view line : lines) {
    records.records.push_back({.key = "key",
                               .value = line,
                               .timestamp = 1,
                               .offset = 7,
                               .has_key = line.size() % 2 == 0,
                               .has_value = true});
  }
  Batch batch(chain.slots, lines.size());
  batch.reset(records);
  process(chain, 0, batch);
  const std::vector<Row> rows(batch.alive().begin(), batch.alive().end());
  const StagePlan& derive = chain.stages[1];
  const Expression& expression = derive.call.operands.front().expression;
  // Only the column that the stage writes is new, and nothing reads it: the order does not matter.
  const std::size_t before = batch.errors().size();
  process(chain, 1, batch);
  require(derive.fallible || batch.errors().size() == before);
  for (const Row row : rows) {
    const auto wanted = ReferenceEvaluator(batch).evaluate(expression, row);
    if (!wanted) {
      require(failed(batch, row, wanted.error()));
      continue;
    }
    require(!failed(batch, row, DiagnosticCode::K0906));
    const auto is =
        value_of_cell(batch.column(derive.writes.front()), expression.type.optional, row);
    require(nodes::expression::is_same(is, *wanted));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  constexpr std::string_view separator = "\n---\n";
  const std::size_t end = std::min(input.find(separator), input.size());
  std::string text{head};
  text += input.substr(0, end);
  text += tail;
  input.remove_prefix(std::min(input.size(), end + separator.size()));
  std::vector<std::string_view> lines(std::begin(usual_rows), std::end(usual_rows));
  constexpr std::size_t most_lines = 64;
  while (!input.empty() && lines.size() < most_lines) {
    const std::size_t line = std::min(input.find('\n'), input.size());
    lines.push_back(input.substr(0, line));
    input.remove_prefix(std::min(input.size(), line + 1));
  }
  const dsl::Compiled compiled = dsl::compile_text("fuzz.pipe", std::move(text), registry(), {});
  require(compiled.plan.has_value() != compiled.diagnostics.has_errors());
  // The text may close the stage and go on with another.
  if (!compiled.plan || compiled.plan->chains.size() != 1) return 0;
  const ChainPlan& chain = compiled.plan->chains.front();
  if (chain.stages.size() < 2 || chain.stages[0].word != "parse" ||
      chain.stages[1].word != "derive" || chain.stages[1].implicit)
    return 0;
  if (chain.stages[1].call.operands.size() != 1 || chain.stages[1].writes.size() != 1) return 0;
  compare(chain, lines);
  return 0;
}
