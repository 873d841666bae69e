#include "runtime/observe/metrics.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <vector>

namespace kaspar::observe {
namespace {

using prometheus::ClientMetric;
using Labels = std::vector<ClientMetric::Label>;

prometheus::MetricType type_of(std::string_view type) {
  if (type == "counter") return prometheus::MetricType::Counter;
  if (type == "histogram") return prometheus::MetricType::Histogram;
  return prometheus::MetricType::Gauge;
}

/// Families by name, in the order of the descriptors; what has no metric is left out.
class Families {
 public:
  Families() {
    for (const MetricDescriptor& descriptor : metric_descriptors()) {
      prometheus::MetricFamily family;
      family.name = descriptor.name;
      family.help = descriptor.help;
      family.type = type_of(descriptor.type);
      families_.push_back(std::move(family));
    }
  }

  void add(std::string_view name, double value, Labels labels = {}) {
    auto& family = find(name);
    ClientMetric& metric = family.metric.emplace_back();
    metric.label = std::move(labels);
    if (family.type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
  }
  void add(std::string_view name, std::uint64_t value, Labels labels = {}) {
    add(name, static_cast<double>(value), std::move(labels));
  }
  void add(std::string_view name, const LatencyCounts& counts) {
    auto& histogram = find(name).metric.emplace_back().histogram;
    std::uint64_t below = 0;
    for (std::size_t i = 0; i < counts.buckets.size(); ++i) {
      below += counts.buckets[i];
      ClientMetric::Bucket bucket;
      bucket.cumulative_count = below;
      bucket.upper_bound =
          i < latency_bounds.size() ? latency_bounds[i] : std::numeric_limits<double>::infinity();
      histogram.bucket.push_back(bucket);
    }
    histogram.sample_count = below;
    histogram.sample_sum = counts.sum;
  }

  [[nodiscard]] std::vector<prometheus::MetricFamily> filled() {
    std::erase_if(families_, [](const auto& family) { return family.metric.empty(); });
    return std::move(families_);
  }

 private:
  prometheus::MetricFamily& find(std::string_view name) {
    const auto found = std::ranges::find(families_, name, &prometheus::MetricFamily::name);
    if (found == families_.end()) std::abort();  // there is no descriptor of it
    return *found;
  }

  std::vector<prometheus::MetricFamily> families_;
};

void add_stages(Families& families, const RunView& view) {
  const RunSnapshot& now = view.now;
  const Plan& plan = view.graph->plan();
  for (const GraphNode& node : view.graph->nodes()) {
    if (node.kind == GraphNode::Kind::Source) {
      families.add("kaspar_source_records_total", now.records_read[node.endpoint],
                   {{"source", node.label}});
    } else if (node.kind == GraphNode::Kind::Sink) {
      const SinkSnapshot& sink = now.sinks[node.endpoint];
      families.add("kaspar_sink_records_total", sink.records,
                   {{"sink", node.label}, {"kind", "result"}});
      families.add("kaspar_sink_records_total", sink.dead_letters,
                   {{"sink", node.label}, {"kind", "dead_letter"}});
      families.add("kaspar_sink_unconfirmed_records", sink.unconfirmed, {{"sink", node.label}});
    } else if (node.kind == GraphNode::Kind::Stage) {
      const NodeCounts counts = view.graph->counts(node, now);
      const auto add = [&](const char* outcome, std::uint64_t records) {
        families.add("kaspar_records_total", records,
                     {{"stage", node.word}, {"place", node.place}, {"outcome", outcome}});
      };
      const std::uint64_t gone = counts.filtered + counts.failed;
      add("passed", counts.in > gone ? counts.in - gone : 0);
      if (node.word == "filter") add("filtered", counts.filtered);
      add("failed", counts.failed);
      families.add("kaspar_stage_busy_seconds_total", counts.busy,
                   {{"stage", node.word}, {"place", node.place}});
      const ChainSnapshot& chain = now.chains[node.chain];
      if (node.first == 0) {
        families.add("kaspar_queue_records", chain.waiting, {{"place", node.place}});
      }
      if (node.last == chain.stages.size() && plan.chains[node.chain].best_effort) {
        families.add("kaspar_best_effort_rows_total", chain.best_effort_failed,
                     {{"place", node.place}, {"outcome", "failed"}});
        families.add("kaspar_best_effort_rows_total", chain.best_effort_dropped,
                     {{"place", node.place}, {"outcome", "dropped"}});
      }
    }
  }
}

void add_sources(Families& families, const RunSnapshot& now) {
  LatencyCounts commits;
  std::uint64_t failures = 0;
  bool commits_any = false;
  for (const SourceSnapshot& source : now.sources) {
    if (source.group.empty()) continue;
    commits_any = true;
    for (std::size_t i = 0; i < commits.buckets.size(); ++i) {
      commits.buckets[i] += source.commits.buckets[i];
    }
    commits.sum += source.commits.sum;
    failures += source.commit_failures;
    const Labels group{{"group", source.group}};
    families.add("kaspar_rebalances_total", source.rebalances, group);
    families.add("kaspar_assigned_partitions", std::uint64_t{source.partitions.size()}, group);
    families.add("kaspar_brokers_reachable", source.unreachable ? 0.0 : 1.0, group);
    for (const PartitionSnapshot& partition : source.partitions) {
      const Labels labels{{"topic", partition.topic},
                          {"partition", std::to_string(partition.partition)}};
      const auto add = [&](std::string_view name, std::int64_t value) {
        if (value >= 0) families.add(name, static_cast<double>(value), labels);
      };
      add("kaspar_lag_records", partition.lag());
      add("kaspar_committed_offset", partition.committed);
      add("kaspar_end_offset", partition.end);
    }
  }
  if (!commits_any) return;
  families.add("kaspar_commit_seconds", commits);
  families.add("kaspar_commit_failures_total", failures);
}

void add_memory(Families& families, const RunView& view) {
  const RunSnapshot& now = view.now;
  const auto add = [&](std::string_view name, const char* use, std::uint64_t bytes) {
    families.add(name, bytes, {{"use", use}});
  };
  add("kaspar_memory_bytes", "batches", now.bytes_in_flight);
  add("kaspar_memory_bytes", "models", now.memory.models);
  add("kaspar_memory_bytes", "resident", view.process.resident_bytes);
  add("kaspar_memory_limit_bytes", "budget", now.memory_budget);
  add("kaspar_memory_limit_bytes", "batches", now.memory.batches);
  add("kaspar_memory_limit_bytes", "best_effort", now.memory.best_effort);
  add("kaspar_memory_limit_bytes", "fetch", now.memory.fetch);
  add("kaspar_memory_limit_bytes", "models", now.memory.models);
  add("kaspar_memory_limit_bytes", "producers", now.memory.producers);
  add("kaspar_memory_limit_bytes", "program", now.memory.program);
}

}  // namespace

std::string metrics_text(const RunView& view) {
  Families families;
  const RunSnapshot& now = view.now;
  families.add("kaspar_build_info", 1.0,
               {{"version", view.facts->version}, {"pipeline", view.facts->name}});
  families.add("kaspar_state_info", 1.0, {{"state", std::string{state_of(now)}}});
  families.add("kaspar_ready", view.ready ? 1.0 : 0.0);
  add_stages(families, view);
  for (std::size_t i = 0; i < diagnostic_codes; ++i) {
    const std::string_view code = name_of(static_cast<DiagnosticCode>(i));
    if (!code.starts_with("K09")) continue;  // of rows
    families.add("kaspar_error_rows_total", now.errors[i], {{"code", std::string{code}}});
  }
  families.add("kaspar_dropped_rows_total", now.dropped);
  families.add("kaspar_batch_seconds", now.batches);
  families.add("kaspar_end_to_end_seconds", now.end_to_end);
  add_sources(families, now);
  families.add("kaspar_batches_in_flight", std::uint64_t{now.batches_in_flight});
  add_memory(families, view);
  for (const ModelView& model : models_of(view.graph->plan())) {
    families.add("kaspar_model_info", 1.0, {{"model", model.name}, {"sha256", model.sha256}});
    families.add("kaspar_model_golden_rows", std::uint64_t{model.golden_rows},
                 {{"model", model.name}});
  }
  families.add("process_resident_memory_bytes", view.process.resident_bytes);
  families.add("process_cpu_seconds_total", view.process.cpu_seconds);
  families.add("process_open_fds", view.process.open_files);
  families.add("process_max_fds", view.process.most_files);
  families.add("process_start_time_seconds",
               std::chrono::duration<double>(view.facts->started.time_since_epoch()).count());
  return prometheus::TextSerializer().Serialize(families.filled());
}

}  // namespace kaspar::observe
