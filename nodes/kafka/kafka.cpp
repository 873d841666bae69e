// Source and sink `kafka`: registration and rules.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "nodes/kafka/fail_point.hpp"
#include "nodes/kafka/kafka_sink.hpp"
#include "nodes/kafka/kafka_source.hpp"
#include "nodes/kafka/settings_check.hpp"
#include "nodes/kafka/transactional_producer.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {
namespace {

using namespace kafka;
using Sources = std::vector<std::unique_ptr<Source>>;
using Sinks = std::vector<std::unique_ptr<Sink>>;

constexpr std::size_t longest_topic = 249;

Issue issue_at(std::string param, DiagnosticCode code, std::string message, std::string help) {
  return {.code = code,
          .place = {.part = IssuePlace::Part::Param, .name = std::move(param)},
          .message = std::move(message),
          .help = std::move(help)};
}

void check_topic(const Params& params, std::vector<Issue>& issues) {
  const std::string topic = string_param(params, "topic");
  const bool legal = std::ranges::all_of(topic, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
  if (legal && !topic.empty() && topic.size() <= longest_topic && topic != "." && topic != "..") {
    return;
  }
  issues.push_back(issue_at("topic", DiagnosticCode::K0302,
                            fmt::format("`{}` is no name of a topic", topic),
                            "Kafka takes up to 249 letters, digits, `.`, `_` and `-`"));
}

std::vector<Issue> check_source(const Params& params) {
  std::vector<Issue> issues;
  check_topic(params, issues);
  if (string_param(params, "group").empty()) {
    issues.push_back(
        issue_at("group", DiagnosticCode::K0302, "the name of a consumer group is empty", {}));
  }
  const std::string start = string_param(params, "start", "earliest");
  if (!parse_start_offset(start)) {
    issues.push_back(issue_at(
        "start", DiagnosticCode::K0302, fmt::format("option `start` does not take `{}`", start),
        "it takes `earliest`, `latest`, or a timestamp such as \"2026-11-22T10:00:00Z\""));
  }
  return issues;
}

/// A number of `create`, if it is one that Kafka takes.
bool whole_number(const Value& value, std::int64_t most) {
  const auto* number = value.get<std::int64_t>();
  return number != nullptr && *number >= 1 && *number <= most;
}

std::vector<Issue> check_sink(const Params& params) {
  std::vector<Issue> issues;
  check_topic(params, issues);
  const auto create = params.find("create");
  if (create == params.end()) return issues;
  const auto* table = create->second.get<ValueTable>();
  if (table == nullptr) return issues;
  for (const auto& [name, value] : *table) {
    if (name != "partitions" && name != "replication") {
      issues.push_back(issue_at(fmt::format("create.{}:", name), DiagnosticCode::K0201,
                                fmt::format("unknown key `{}` in `create`", name),
                                "it takes `partitions` and `replication`"));
    } else if (!whole_number(value, name == "partitions" ? 100'000 : 100)) {
      issues.push_back(
          issue_at(fmt::format("create.{}", name), DiagnosticCode::K0302,
                   fmt::format("`{}` in `create` takes a whole number of at least 1", name), {}));
    }
  }
  return issues;
}

/// The settings of the cluster that an endpoint is on.
std::expected<const KafkaSettings*, Failure> cluster_of(const EndpointCall& endpoint,
                                                        const RunSettings& settings) {
  const std::string name = string_param(endpoint.params, "cluster");
  const KafkaSettings* cluster = settings.cluster(name);
  if (cluster != nullptr) return cluster;
  return std::unexpected(Failure{
      .status = ExitStatus::Problems,
      .message =
          fmt::format("`{}` is on the cluster `{}`, which no profile defines", endpoint.name, name),
      .help = fmt::format("say where it is below `[clusters.{}]` in the profile", name)});
}

/// All endpoints share a consumer. `producer`: of its transactions, if it has any.
std::expected<Sources, Failure> make_consumer(std::span<const EndpointCall> endpoints,
                                              const RunContext& context,
                                              std::shared_ptr<TransactionalProducer> producer) {
  const std::string group = string_param(endpoints.front().params, "group");
  std::vector<Subscription> subscriptions;
  for (const EndpointCall& endpoint : endpoints) {
    const std::string topic = string_param(endpoint.params, "topic");
    const auto twice = std::ranges::find(subscriptions, topic, &Subscription::topic);
    if (twice != subscriptions.end()) {
      return std::unexpected(
          Failure{.status = ExitStatus::Problems,
                  .message = fmt::format("the source `{}` reads the topic `{}` of another source",
                                         endpoint.name, topic),
                  .help = "read one source in several chains instead"});
    }
    const std::string start = string_param(endpoint.params, "start", "earliest");
    subscriptions.push_back({.topic = topic,
                             .start = parse_start_offset(start).value_or(StartOffset{}),
                             .endpoint = endpoint.index});
  }
  const auto cluster = cluster_of(endpoints.front(), context.settings);
  if (!cluster) return std::unexpected(cluster.error());
  Sources sources;
  sources.push_back(std::make_unique<KafkaSource>(group, std::move(subscriptions), **cluster,
                                                  context, std::move(producer)));
  return sources;
}

std::expected<Sources, Failure> make_sources(std::span<const EndpointCall> endpoints,
                                             const RunContext& context) {
  return make_consumer(endpoints, context, nullptr);
}

ProducedTopic produced_topic(const Params& params) {
  return {.name = string_param(params, "topic"),
          .compression = string_param(params, "compression", "none"),
          .partitioner = string_param(params, "partitioner", "murmur2"),
          .create = topic_creation(params)};
}

/// One producer for each cluster, and another one for what is best-effort there.
std::expected<Sinks, Failure> make_sinks(std::span<const EndpointCall> endpoints,
                                         const RunContext& context) {
  std::map<std::pair<const KafkaSettings*, bool>, std::vector<std::size_t>> groups;
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const auto cluster = cluster_of(endpoints[i], context.settings);
    if (!cluster) return std::unexpected(cluster.error());
    groups[{*cluster, endpoints[i].best_effort}].push_back(i);
  }
  Sinks sinks(endpoints.size());
  for (const auto& [shared, members] : groups) {
    std::vector<ProducedTopic> topics;
    for (const std::size_t i : members) topics.push_back(produced_topic(endpoints[i].params));
    auto producer = std::make_shared<Producer>(
        std::move(topics), shared.second ? Delivery::BestEffort : Delivery::Reliable, *shared.first,
        context);
    for (std::size_t topic = 0; topic < members.size(); ++topic) {
      sinks[members[topic]] = std::make_unique<KafkaSink>(producer, topic);
    }
  }
  return sinks;
}

/// Every sink but the best-effort ones takes part; the checker saw to one cluster.
std::expected<TransactionalEndpoints, Failure> make_transactional(
    std::span<const EndpointCall> sources, std::span<const EndpointCall> sinks,
    const RunContext& context) {
  const auto cluster = cluster_of(sources.front(), context.settings);
  if (!cluster) return std::unexpected(cluster.error());
  std::vector<EndpointCall> apart;
  std::vector<std::size_t> apart_at;
  std::vector<ProducedTopic> topics;
  std::vector<std::size_t> topics_at;
  for (std::size_t i = 0; i < sinks.size(); ++i) {
    const bool outside = planted_bug("letter_outside_transaction") && sinks[i].name == "dead";
    if (sinks[i].best_effort || outside) {
      apart.push_back(sinks[i]);
      apart_at.push_back(i);
    } else {
      topics.push_back(produced_topic(sinks[i].params));
      topics_at.push_back(i);
    }
  }
  TransactionalEndpoints made;
  made.sinks.resize(sinks.size());
  std::shared_ptr<TransactionalProducer> producer;
  if (!topics.empty()) {
    const std::string group = string_param(sources.front().params, "group");
    producer = std::make_shared<TransactionalProducer>(
        std::move(topics), fmt::format("{}-{}", group, context.settings.instance), **cluster,
        context);
    for (std::size_t topic = 0; topic < topics_at.size(); ++topic) {
      made.sinks[topics_at[topic]] = std::make_unique<KafkaSink>(producer, topic);
    }
  }
  if (!apart.empty()) {
    auto others = make_sinks(apart, context);
    if (!others) return std::unexpected(std::move(others.error()));
    for (std::size_t i = 0; i < apart.size(); ++i) {
      made.sinks[apart_at[i]] = std::move((*others)[i]);
    }
  }
  auto consumer = make_consumer(sources, context, std::move(producer));
  if (!consumer) return std::unexpected(std::move(consumer.error()));
  made.sources = std::move(*consumer);
  return made;
}

constexpr std::string_view source_documentation =
    "Joins the consumer group and reads the partitions that it is assigned, in order each. An "
    "offset is committed once every record up to it is delivered, filtered, dropped by the file or "
    "dead-lettered. Where the group has committed nothing, `start` says where to begin. The topic "
    "must exist. All Kafka sources of a file share one consumer, and so one group and one "
    "cluster.\n";
constexpr std::string_view sink_documentation =
    "Writes each record to the topic, acknowledged by all in-sync replicas, never twice by itself. "
    "The partition follows from the key as the Java client's does (`murmur2`); records without a "
    "key go anywhere. The topic must exist unless `create` says how to create it. A record larger "
    "than the topic takes fails its row with K0908. An error row keeps its raw bytes as the value "
    "and its key, and carries `kaspar.stage`, `kaspar.code`, `kaspar.message`, `kaspar.topic`, "
    "`kaspar.partition` and `kaspar.offset` as headers; one too large is cut off, its size in "
    "`kaspar.original_size`. A best-effort sink gives a record up after 30 s.\n";

}  // namespace

void register_kafka(NodeRegistry& registry) {
  registry.add(
      {.role = NodeRole::Source,
       .name = "kafka",
       .summary = "Reads a topic of Kafka as a member of a consumer group",
       .documentation = source_documentation,
       .params = {{.name = "topic",
                   .kind = ParamKind::String,
                   .summary = "the topic to read",
                   .required = true},
                  {.name = "group",
                   .kind = ParamKind::String,
                   .summary = "the consumer group, which shares the partitions and keeps offsets",
                   .required = true},
                  {.name = "cluster",
                   .kind = ParamKind::String,
                   .summary = "a cluster of the profile, below `[clusters.NAME]`; else `[kafka]`"},
                  {.name = "start",
                   .kind = ParamKind::Word,
                   .summary = "`earliest`, `latest` or a timestamp: where the group has no offset",
                   .default_text = "earliest"}},
       .examples =
           {"source windows = kafka { topic: \"inputs\", group: \"scoring\" }",
            "source windows = kafka { topic: \"inputs\", group: \"scoring\", start: latest }"},
       .check_endpoint = check_source,
       .make_sources = make_sources,
       .make_transactional = make_transactional,
       .transactions_refused = transactions_refused(rd_kafka_version()),
       .check_settings = check_settings,
       .setting_names = setting_names});
  registry.add(
      {.role = NodeRole::Sink,
       .name = "kafka",
       .summary = "Writes a topic of Kafka",
       .documentation = sink_documentation,
       .params = {{.name = "topic",
                   .kind = ParamKind::String,
                   .summary = "the topic to write",
                   .required = true},
                  {.name = "cluster",
                   .kind = ParamKind::String,
                   .summary = "a cluster of the profile, below `[clusters.NAME]`; else `[kafka]`"},
                  {.name = "compression",
                   .kind = ParamKind::Word,
                   .summary = "how requests are compressed",
                   .default_text = "none",
                   .words = {"none", "gzip", "snappy", "lz4", "zstd"}},
                  {.name = "partitioner",
                   .kind = ParamKind::Word,
                   .summary = "how the partition follows from the key",
                   .default_text = "murmur2",
                   .words = {"murmur2", "crc32", "fnv1a", "random"}},
                  {.name = "create",
                   .kind = ParamKind::Table,
                   .summary = "creates the topic where it does not exist"}},
       .examples = {"sink labels = kafka { topic: \"labels\", compression: lz4 }",
                    "sink labels = kafka { topic: \"labels\", create: { partitions = 3 } }"},
       .check_endpoint = check_sink,
       .make_sinks = make_sinks});
}

}  // namespace kaspar::nodes
