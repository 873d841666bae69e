#include "test/bench/pipeline_stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "nodes/register_nodes.hpp"

namespace kaspar::bench {
namespace {

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(3);
}

}  // namespace

PipelineStages::PipelineStages(const std::string& file, std::span<const std::string> rows,
                               std::size_t batch_size) {
  nodes::register_all(registry_);
  dsl::Compiled compiled = dsl::compile_file(file, registry_, {});
  if (!compiled.plan) give_up(file + " does not compile: see kaspar check");
  plan_ = std::move(*compiled.plan);
  const ChainPlan& chain = plan_.chains[0];
  for (const StagePlan& stage : chain.stages) {
    operators_.push_back(stage.node->make_operator(
        {.call = stage.call, .writes = stage.writes, .resource = stage.resource}));
    states_.push_back(operators_.back()->make_state());
  }
  records_.resize((rows.size() + batch_size - 1) / batch_size);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    RecordBatch& batch = records_[i / batch_size];
    batch.records.push_back({.key = rows[i],
                             .value = rows[i],
                             .offset = static_cast<std::int64_t>(i),
                             .has_key = true,
                             .has_value = true});
  }
  for (RecordBatch& records : records_) {
    PartitionSpan span{.topic = "bench",
                       .last_offset = static_cast<std::int64_t>(records.records.size()) - 1};
    records.spans.push_back(span);
    batches_.push_back(std::make_unique<Batch>(chain.slots, records.records.size()));
  }
  for (std::size_t stage = 0; stage < operators_.size(); ++stage) {
    run(stage);
    for (const auto& batch : batches_) {
      if (!batch->errors().empty()) give_up("a row fails: " + batch->errors()[0].message);
    }
  }
}

void PipelineStages::run(std::size_t stage) noexcept {
  for (std::size_t i = 0; i < batches_.size(); ++i) {
    batches_[i]->reset(records_[i]);
    batches_[i]->begin_stage(static_cast<std::uint32_t>(stage));
    operators_[stage]->process(*batches_[i], states_[stage].get());
    batches_[i]->end_stage();
  }
}

std::vector<float> PipelineStages::floats(std::size_t stage) const {
  const Slot slot = stages()[stage].writes[0];
  const Type& type = plan_.chains[0].slots[slot].type;
  if (type.scalar != ScalarType::F32) give_up(stages()[stage].text + " makes no f32");
  std::vector<float> values;
  for (const auto& batch : batches_) {
    const float* const first = batch->column(slot).values<float>();
    values.insert(values.end(), first, first + batch->rows() * type.elements());
  }
  return values;
}

}  // namespace kaspar::bench
