#include "runtime/observe/status_json.hpp"

#include <algorithm>

#include "runtime/core/value_text.hpp"
#include "runtime/observe/json_writer.hpp"

namespace kaspar::observe {
namespace {

constexpr std::size_t most_partitions = 500;
constexpr std::size_t most_members = 200;

std::string time_text(std::chrono::system_clock::time_point time) {
  std::string text;
  append_timestamp(
      text, std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count());
  return text;
}

void known_or_null(JsonWriter& json, std::string_view name, std::int64_t value) {
  json.key(name);
  value < 0 ? json.null() : json.value(value);
}

void write_graph(JsonWriter& json, const RunView& view, bool whole) {
  static constexpr std::string_view kinds[] = {"source", "stage", "stream", "sink"};
  json.key("nodes").begin_array();
  for (const GraphNode& node : view.graph->nodes()) {
    const NodeCounts counts = view.graph->counts(node, view.now);
    json.begin_object();
    if (whole) {
      json.field("kind", kinds[static_cast<std::size_t>(node.kind)])
          .field("label", node.label)
          .field("word", node.word)
          .field("place", node.place);
      if (!node.topic.empty()) json.field("topic", node.topic);
    }
    json.field("records", counts.in)
        .field("filtered", counts.filtered)
        .field("failed", counts.failed)
        .field("dropped", counts.dropped)
        .field("busy_seconds", counts.busy)
        .end_object();
  }
  json.end_array().key("edges").begin_array();
  for (const GraphEdge& edge : view.graph->edges()) {
    const EdgeCounts counts = view.graph->counts(edge, view.now);
    json.begin_object();
    if (whole) {
      json.field("from", edge.from).field("to", edge.to).field("errors", edge.errors);
      if (!edge.stream.empty()) json.field("stream", edge.stream);
    }
    json.field("records", counts.records).field("queue", counts.queue).end_object();
  }
  json.end_array();
}

void write_latency(JsonWriter& json, std::string_view name, const LatencyCounts& recent,
                   const LatencyCounts& all) {
  json.key(name).begin_object().field("count", all.count());
  for (const auto& [label, q] :
       {std::pair{"p50", 0.5}, std::pair{"p90", 0.9}, std::pair{"p99", 0.99}}) {
    const double seconds = recent.quantile(q);
    json.key(label);
    seconds < 0 ? json.null() : json.value(seconds);
  }
  json.end_object();
}

void write_sources(JsonWriter& json, const RunSnapshot& now) {
  json.key("groups").begin_array();
  std::size_t partitions = 0;
  for (const SourceSnapshot& source : now.sources) {
    if (source.group.empty()) continue;
    json.begin_object()
        .field("group", source.group)
        .field("assigned", source.assigned)
        .field("reachable", !source.unreachable)
        .field("brokers", source.brokers)
        .field("rebalances", source.rebalances)
        .field("commits", source.commits.count())
        .field("commit_failures", source.commit_failures)
        .field("partition_count", source.partitions.size());
    json.key("partitions").begin_array();
    for (const PartitionSnapshot& partition : source.partitions) {
      if (++partitions > most_partitions) break;
      json.begin_object().field("topic", partition.topic).field("partition", partition.partition);
      known_or_null(json, "lag", partition.lag());
      known_or_null(json, "committed", partition.committed);
      known_or_null(json, "read", partition.read);
      known_or_null(json, "end", partition.end);
      json.end_object();
    }
    json.end_array().field("member_count", source.members.size()).key("members").begin_array();
    for (std::size_t i = 0; i < std::min(source.members.size(), most_members); ++i) {
      const MemberSnapshot& member = source.members[i];
      json.begin_object()
          .field("id", member.id)
          .field("client", member.client)
          .field("host", member.host)
          .field("self", member.self)
          .field("partitions", member.partitions.size())
          .end_object();
    }
    json.end_array().end_object();
  }
  json.end_array();
}

void write_memory(JsonWriter& json, const RunView& view) {
  const RunSnapshot& now = view.now;
  json.key("memory")
      .begin_object()
      .field("budget", now.memory_budget)
      .field("resident", view.process.resident_bytes)
      .field("batches", now.bytes_in_flight)
      .field("batches_limit", now.memory.batches)
      .field("fetch_limit", now.memory.fetch)
      .field("best_effort_limit", now.memory.best_effort)
      .field("producers_limit", now.memory.producers)
      .field("program", now.memory.program)
      .field("models", now.memory.models)
      .field("batches_in_flight", now.batches_in_flight)
      .end_object();
}

void write_errors(JsonWriter& json, const RunView& view) {
  json.key("errors").begin_object();
  for (std::size_t i = 0; i < diagnostic_codes; ++i) {
    if (view.now.errors[i] == 0) continue;
    json.field(name_of(static_cast<DiagnosticCode>(i)), view.now.errors[i]);
  }
  json.end_object().key("error_rows").begin_array();
  for (const ErrorRow& row : view.now.recent) {
    const GraphNode& node = view.graph->node_of(row.chain, row.stage);
    json.begin_object()
        .field("time", time_text(row.time))
        .field("code", name_of(row.code))
        .field("title", title_of(row.code))
        .field("stage", node.word)
        .field("place", node.place);
    if (!row.topic.empty()) json.field("topic", row.topic).field("partition", row.partition);
    known_or_null(json, "offset", row.offset);
    json.end_object();
  }
  json.end_array();
}

void write_facts(JsonWriter& json, const RunView& view) {
  const RunFacts& facts = *view.facts;
  const Plan& plan = view.graph->plan();
  json.field("version", facts.version)
      .field("libraries", facts.libraries)
      .field("pipeline", facts.name)
      .field("file", facts.file)
      .field("text", facts.text)
      .field("instance", facts.instance)
      .field("brokers", facts.brokers)
      .field("threads", view.now.threads)
      .field("tap", facts.tap)
      .field("started", time_text(facts.started))
      .field("delivery",
             plan.guarantee == Guarantee::ExactlyOnce ? "exactly once" : "at least once");
  json.key("models").begin_array();
  for (const ModelView& model : models_of(plan)) {
    json.begin_object()
        .field("name", model.name)
        .field("path", model.path)
        .field("sha256", model.sha256)
        .field("bytes", model.bytes)
        .field("memory", model.memory)
        .field("golden_rows", model.golden_rows)
        .field("golden_deviation", model.golden_deviation)
        .end_object();
  }
  json.end_array();
}

}  // namespace

std::string status_json(const RunView& view, bool whole) {
  const RunSnapshot& now = view.now;
  JsonWriter json;
  json.begin_object()
      .field("format_version", 1)
      .field("time", time_text(view.time))
      .field("uptime_seconds",
             std::chrono::duration<double>(view.time - view.facts->started).count())
      .field("state", state_of(now))
      .field("live", view.live)
      .field("ready", view.ready);
  if (whole) write_facts(json, view);
  json.key("records")
      .begin_object()
      .field("read", total_read(now))
      .field("written", total_written(now))
      .field("dead_letters", now.dead_letters)
      .field("dropped", now.dropped)
      .field("failed", total_failed(now));
  known_or_null(json, "lag", total_lag(now));
  json.end_object();
  json.key("rates")
      .begin_object()
      .field("seconds", view.recent.seconds)
      .field("read", view.recent.read)
      .field("written", view.recent.written)
      .field("failed", view.recent.failed)
      .end_object();
  json.key("latency").begin_object();
  write_latency(json, "batch", view.recent.batches, now.batches);
  write_latency(json, "end_to_end", view.recent.end_to_end, now.end_to_end);
  json.end_object();
  write_graph(json, view, whole);
  write_sources(json, now);
  write_memory(json, view);
  json.field("cpu_seconds", view.process.cpu_seconds);
  write_errors(json, view);
  json.end_object();
  return json.take();
}

}  // namespace kaspar::observe
