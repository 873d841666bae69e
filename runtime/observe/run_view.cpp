#include "runtime/observe/run_view.hpp"

#include <algorithm>
#include <numeric>

#include "runtime/core/resource_facts.hpp"

namespace kaspar::observe {

std::string_view state_of(const RunSnapshot& now) noexcept {
  if (now.draining) return "draining";
  if (!now.opened) return "starting";
  if (std::ranges::any_of(now.sources, &SourceSnapshot::unreachable)) return "unreachable";
  return now.stalled ? "stalled" : "running";
}

namespace {

ResourceFacts facts_of(const Resource& resource) {
  const auto* described = dynamic_cast<const DescribedResource*>(&resource);
  return described == nullptr ? ResourceFacts{} : described->facts();
}

}  // namespace

std::vector<ModelView> models_of(const Plan& plan) {
  std::vector<ModelView> views;
  for (const ModelPlan& model : plan.models) {
    ModelView& view = views.emplace_back(ModelView{.name = model.name, .path = model.path});
    if (model.resource == nullptr) continue;
    const ResourceFacts facts = facts_of(*model.resource);
    view.sha256 = facts.sha256;
    view.bytes = facts.bytes;
    view.memory = model.resource->memory();
    for (const ChainPlan& chain : plan.chains) {
      for (const StagePlan& stage : chain.stages) {
        if (stage.call.model != model.resource || stage.resource == nullptr) continue;
        const ResourceFacts applied = facts_of(*stage.resource);
        view.golden_rows = std::max(view.golden_rows, applied.golden_rows);
        view.golden_deviation = std::max(view.golden_deviation, applied.golden_deviation);
      }
    }
  }
  return views;
}

std::uint64_t total_read(const RunSnapshot& now) noexcept {
  return std::accumulate(now.records_read.begin(), now.records_read.end(), std::uint64_t{0});
}

std::uint64_t total_written(const RunSnapshot& now) noexcept {
  std::uint64_t total = 0;
  for (const SinkSnapshot& sink : now.sinks) total += sink.records;
  return total;
}

std::uint64_t total_failed(const RunSnapshot& now) noexcept {
  return std::accumulate(now.errors.begin(), now.errors.end(), std::uint64_t{0});
}

std::int64_t total_lag(const RunSnapshot& now) noexcept {
  std::int64_t total = -1;
  for (const SourceSnapshot& source : now.sources) {
    for (const PartitionSnapshot& partition : source.partitions) {
      if (const std::int64_t lag = partition.lag(); lag >= 0)
        total = std::max<std::int64_t>(total, 0) + lag;
    }
  }
  return total;
}

}  // namespace kaspar::observe
