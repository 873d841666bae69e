// Any text as a pipeline: it must become a plan or diagnostics whose places are in the text, and
// both prints of these must be made. The operators of a plan then work on some records. Its paths
// are those of the golden files, so that these find their models.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/core/batch.hpp"

namespace {

using namespace kaspar;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_inside(dsl::Span span, const dsl::SourceBuffer& source) {
  require(span.begin <= span.end && span.end <= source.text().size());
}

void inspect(const dsl::Diagnostics& diagnostics) {
  for (const dsl::Diagnostic& entry : diagnostics.entries()) {
    require(!entry.message.empty() && entry.source != nullptr);
    require_inside(entry.span, *entry.source);
    for (const dsl::RelatedSpan& other : entry.related) require_inside(other.span, *entry.source);
    for (const dsl::Fix& fix : entry.fixes) require_inside(fix.span, *entry.source);
  }
  (void)dsl::render_human(diagnostics, false);
  (void)dsl::render_json(diagnostics);
}

/// A row for each of: fields that most types take, empty fields, broken quotes, and no value.
std::vector<std::string> rows_for(const ChainPlan& chain) {
  std::size_t fields = 1;
  for (const StagePlan& stage : chain.stages)
    fields = std::max(fields, stage.call.schema.field_count());
  std::vector<std::string> rows{"1", "", "\"1", "1"};
  for (std::size_t i = 1; i < fields; ++i) {
    rows[0] += ",1";
    rows[1] += ",";
    rows[3] += ";1";
  }
  return rows;
}

void run(const ChainPlan& chain) {
  constexpr std::size_t most_bytes = 16u << 20;
  const std::vector<std::string> rows = rows_for(chain);
  const std::size_t count = rows.size() + 1;
  if (Batch::column_bytes(chain.slots, count) > most_bytes) return;
  RecordBatch records;
  records.spans.push_back({.topic = "topic", .partition = 1});
  for (const std::string& row : rows)
    records.records.push_back({.value = row, .offset = 7, .has_value = true});
  records.records.push_back({.key = "key", .timestamp = 1, .has_key = true});
  Batch batch(chain.slots, count);
  batch.reset(records);
  for (std::size_t i = 0; i < chain.stages.size(); ++i) {
    const StagePlan& stage = chain.stages[i];
    const auto work = stage.node->make_operator(
        {.call = stage.call, .writes = stage.writes, .resource = stage.resource});
    const auto state = work->make_state();
    batch.begin_stage(static_cast<std::uint32_t>(i));
    if (!batch.alive().empty()) work->process(batch, state.get());
    batch.end_stage();
    require(batch.errors().empty() || stage.fallible || batch.errors().back().stage != i);
  }
  require(!chain.sink || batch.outputs().size() == batch.alive().size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const NodeRegistry registry = [] {
    NodeRegistry made;
    nodes::register_all(made);
    return made;
  }();
  const dsl::Compiled compiled = dsl::compile_text(
      "test/golden/check/fuzz.pipe", {reinterpret_cast<const char*>(data), size}, registry, {});
  inspect(compiled.diagnostics);
  require(compiled.plan.has_value() != compiled.diagnostics.has_errors());
  if (!compiled.plan) return 0;
  for (const ChainPlan& chain : compiled.plan->chains) run(chain);
  return 0;
}
