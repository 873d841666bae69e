#include "nodes/kafka/group_progress.hpp"

#include <fmt/format.h>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {
namespace {

constexpr int request_timeout = 5'000;

}  // namespace

struct GroupProgress::State final : ClientEvents {
  State(EventLog& log, std::string name) : ClientEvents(log), topic(std::move(name)) {}

  std::string topic;
  int partitions = 0;
  ClientHandle client;
};

GroupProgress::GroupProgress(std::unique_ptr<State> state) : state_(std::move(state)) {}
GroupProgress::~GroupProgress() = default;

std::expected<std::unique_ptr<GroupProgress>, Failure> GroupProgress::open(
    const KafkaSettings& settings, const std::string& group, const std::string& topic,
    EventLog& log) {
  ClusterProbe probe(settings, log);
  if (auto connected = probe.connect(); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  auto count = probe.partitions(topic);
  if (!count) return std::unexpected(std::move(count.error()));
  if (!*count) return std::unexpected(missing_topic(topic, settings.brokers, "create it"));
  auto state = std::make_unique<State>(log, topic);
  auto client = make_client({.type = RD_KAFKA_CONSUMER,
                             .defaults = {{"client.id", "kaspar"}},
                             .owned = {{"group.id", group},
                                       {"enable.auto.commit", "false"},
                                       {"allow.auto.create.topics", "false"}}},
                            settings, *state);
  if (!client) return std::unexpected(std::move(client.error()));
  state->client = std::move(*client);
  state->connected();
  state->partitions = **count;
  return std::unique_ptr<GroupProgress>{new GroupProgress(std::move(state))};
}

std::expected<bool, Failure> GroupProgress::at_end() {
  const auto failed = [&](rd_kafka_resp_err_t code) {
    return std::unexpected(
        Failure{.message = fmt::format("how far the topic `{}` is read cannot be found out: {}",
                                       state_->topic, rd_kafka_err2str(code))});
  };
  const PartitionList committed = make_partition_list(static_cast<std::size_t>(state_->partitions));
  for (std::int32_t partition = 0; partition < state_->partitions; ++partition) {
    rd_kafka_topic_partition_list_add(committed.get(), state_->topic.c_str(), partition);
  }
  const rd_kafka_resp_err_t code =
      rd_kafka_committed(state_->client.get(), committed.get(), request_timeout);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(code);
  for (int i = 0; i < committed->cnt; ++i) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    const rd_kafka_resp_err_t asked = rd_kafka_query_watermark_offsets(
        state_->client.get(), state_->topic.c_str(), committed->elems[i].partition, &low, &high,
        request_timeout);
    if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return failed(asked);
    if (high > low && committed->elems[i].offset < high) return false;
  }
  return true;
}

}  // namespace kaspar::nodes::kafka
