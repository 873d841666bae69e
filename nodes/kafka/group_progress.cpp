#include "nodes/kafka/group_progress.hpp"

#include <fmt/format.h>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {
namespace {

constexpr int request_timeout = 5'000;

}  // namespace

struct GroupProgress::State final : ClientEvents {
  State(const KafkaSettings& settings, EventLog& log, std::string name)
      : ClientEvents(log), topic(std::move(name)), probe(settings, log) {}

  std::string topic;
  ClusterProbe probe;
  int partitions = 0;
  ClientHandle client;
};

GroupProgress::GroupProgress(std::unique_ptr<State> state) : state_(std::move(state)) {}
GroupProgress::~GroupProgress() = default;

std::expected<std::unique_ptr<GroupProgress>, Failure> GroupProgress::open(
    const KafkaSettings& settings, const std::string& group, const std::string& topic,
    EventLog& log) {
  auto state = std::make_unique<State>(settings, log, topic);
  ClusterProbe& probe = state->probe;
  if (auto connected = probe.connect(); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  auto count = probe.existing(topic, "create it");
  if (!count) return std::unexpected(std::move(count.error()));
  auto client = make_client({.type = RD_KAFKA_CONSUMER,
                             .defaults = {{"client.id", "kaspar"}},
                             .owned = {{"group.id", group},
                                       {"enable.auto.commit", "false"},
                                       {"allow.auto.create.topics", "false"}}},
                            settings, *state);
  if (!client) return std::unexpected(std::move(client.error()));
  state->client = std::move(*client);
  state->connected();
  state->partitions = *count;
  return std::unique_ptr<GroupProgress>{new GroupProgress(std::move(state))};
}

std::expected<bool, Failure> GroupProgress::at_end() {
  const PartitionList committed = make_partition_list(static_cast<std::size_t>(state_->partitions));
  for (std::int32_t partition = 0; partition < state_->partitions; ++partition) {
    rd_kafka_topic_partition_list_add(committed.get(), state_->topic.c_str(), partition);
  }
  const rd_kafka_resp_err_t code =
      rd_kafka_committed(state_->client.get(), committed.get(), request_timeout);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(
        Failure{.message = fmt::format("how far the topic `{}` is read cannot be found out: {}",
                                       state_->topic, rd_kafka_err2str(code))});
  }
  for (int i = 0; i < committed->cnt; ++i) {
    const auto found = state_->probe.watermarks(state_->topic, committed->elems[i].partition);
    if (!found) return std::unexpected(found.error());
    if (found->high > found->low && committed->elems[i].offset < found->high) return false;
  }
  return true;
}

}  // namespace kaspar::nodes::kafka
