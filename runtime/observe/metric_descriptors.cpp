#include <fmt/format.h>

#include <array>

#include "runtime/observe/metrics.hpp"

namespace kaspar::observe {
namespace {

constexpr std::array descriptors{
    MetricDescriptor{"kaspar_build_info", "gauge", "version, pipeline",
                     "1; which kaspar runs which pipeline"},
    MetricDescriptor{"kaspar_state_info", "gauge", "state",
                     "1; starting, running, stalled, unreachable (no broker answers) or draining"},
    MetricDescriptor{"kaspar_ready", "gauge", "",
                     "1 once models are loaded and a first assignment was received, be it empty"},
    MetricDescriptor{"kaspar_source_records_total", "counter", "source",
                     "records read, also again"},
    MetricDescriptor{"kaspar_records_total", "counter", "stage, place, outcome",
                     "records of a stage: passed, filtered or failed; place is LINE:COLUMN"},
    MetricDescriptor{"kaspar_stage_busy_seconds_total", "counter", "stage, place",
                     "time of threads that a stage took"},
    MetricDescriptor{"kaspar_queue_records", "gauge", "place",
                     "records in front of the chain that begins at the place"},
    MetricDescriptor{"kaspar_sink_records_total", "counter", "sink, kind",
                     "records that a sink confirmed: result or dead_letter"},
    MetricDescriptor{"kaspar_sink_unconfirmed_records", "gauge", "sink",
                     "records handed to a sink that it has not confirmed yet"},
    MetricDescriptor{"kaspar_error_rows_total", "counter", "code",
                     "rows that failed, whatever became of them"},
    MetricDescriptor{"kaspar_dropped_rows_total", "counter", "",
                     "rows that failed and that the file says to drop"},
    MetricDescriptor{"kaspar_best_effort_rows_total", "counter", "place, outcome",
                     "rows of a best-effort chain that failed, or were dropped for want of room"},
    MetricDescriptor{"kaspar_batch_seconds", "histogram", "",
                     "from the read of a batch to its acknowledgement"},
    MetricDescriptor{"kaspar_end_to_end_seconds", "histogram", "",
                     "from the timestamp of a batch's first record to the acknowledgement"},
    MetricDescriptor{"kaspar_commit_seconds", "histogram", "",
                     "how long a commit of offsets, or of a transaction, took"},
    MetricDescriptor{"kaspar_commit_failures_total", "counter", "",
                     "commits that failed, and transactions that were aborted"},
    MetricDescriptor{"kaspar_rebalances_total", "counter", "group",
                     "assignments that were received from the group"},
    MetricDescriptor{"kaspar_assigned_partitions", "gauge", "group",
                     "partitions that this process reads"},
    MetricDescriptor{"kaspar_lag_records", "gauge", "topic, partition",
                     "records of a partition that are not committed yet"},
    MetricDescriptor{"kaspar_committed_offset", "gauge", "topic, partition",
                     "the next offset to be read by whoever takes over"},
    MetricDescriptor{"kaspar_end_offset", "gauge", "topic, partition",
                     "the offset after the last record that readers may see"},
    MetricDescriptor{"kaspar_brokers_reachable", "gauge", "group",
                     "1 if a broker answered last, else 0"},
    MetricDescriptor{"kaspar_batches_in_flight", "gauge", "",
                     "batches that were read and are not acknowledged"},
    MetricDescriptor{"kaspar_memory_bytes", "gauge", "use",
                     "memory taken: batches in flight, models, resident of the whole process"},
    MetricDescriptor{
        "kaspar_memory_limit_bytes", "gauge", "use",
        "the budget and its shares: batches, best_effort, fetch, models, producers, program"},
    MetricDescriptor{"kaspar_model_info", "gauge", "model, sha256",
                     "1; which file a model was loaded from"},
    MetricDescriptor{"kaspar_model_golden_rows", "gauge", "model",
                     "golden rows that the model reproduced at the start; 0: none were given"},
    MetricDescriptor{"process_resident_memory_bytes", "gauge", "", "resident memory"},
    MetricDescriptor{"process_cpu_seconds_total", "counter", "", "CPU time of all threads"},
    MetricDescriptor{"process_open_fds", "gauge", "", "open file descriptors"},
    MetricDescriptor{"process_max_fds", "gauge", "", "file descriptors that may be open"},
    MetricDescriptor{"process_start_time_seconds", "gauge", "", "start, in seconds since 1970"},
};

}  // namespace

std::span<const MetricDescriptor> metric_descriptors() noexcept { return descriptors; }

std::string metrics_table() {
  std::string out = "| Metric | Type | Labels | What it tells |\n|---|---|---|---|\n";
  for (const MetricDescriptor& metric : descriptors) {
    std::string labels;
    std::string_view rest = metric.labels;
    while (!rest.empty()) {
      const std::string_view label = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(label.size() + 2, rest.size()));
      labels += fmt::format("{}`{}`", labels.empty() ? "" : ", ", label);
    }
    out += fmt::format("| `{}` | {} | {} | {} |\n", metric.name, metric.type,
                       labels.empty() ? "–" : labels, metric.help);
  }
  return out;
}

}  // namespace kaspar::observe
