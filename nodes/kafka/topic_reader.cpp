#include "nodes/kafka/topic_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {
struct TopicReader::State final : ClientEvents {
  State(const KafkaSettings& settings, EventLog& log) : ClientEvents(log), probe(settings, log) {}

  ClusterProbe probe;
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> positions;
  std::array<rd_kafka_message_t*, 512> messages{};
  ClientHandle client;
  QueueHandle queue;
};

TopicReader::TopicReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

TopicReader::~TopicReader() { state_->queue.reset(); }

std::expected<std::unique_ptr<TopicReader>, Failure> TopicReader::open(
    const KafkaSettings& settings, const std::vector<std::string>& topics, bool from_beginning,
    EventLog& log) {
  auto state = std::make_unique<State>(settings, log);
  ClusterProbe& probe = state->probe;
  if (auto connected = probe.connect(); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  auto client = make_client(
      {.type = RD_KAFKA_CONSUMER,
       .defaults = {{"client.id", "kaspar"}, {"fetch.wait.max.ms", "100"}},
       // A group of no meaning: partitions are assigned by hand and nothing is committed.
       .owned = {{"group.id", "kaspar-reader"},
                 {"enable.auto.commit", "false"},
                 {"enable.auto.offset.store", "false"},
                 {"enable.partition.eof", "true"},
                 {"auto.offset.reset", "error"},
                 {"allow.auto.create.topics", "false"}}},
      settings, *state);
  if (!client) return std::unexpected(std::move(client.error()));
  state->client = std::move(*client);
  state->connected();
  rd_kafka_poll_set_consumer(state->client.get());

  const PartitionList partitions = make_partition_list();
  for (const std::string& topic : topics) {
    auto count = probe.existing(topic, "create it, or correct the name");
    if (!count) return std::unexpected(std::move(count.error()));
    for (std::int32_t partition = 0; partition < *count; ++partition) {
      const auto found = probe.watermarks(topic, partition);
      if (!found) return std::unexpected(found.error());
      const std::int64_t first = from_beginning ? found->low : found->high;
      state->positions[{topic, partition}] = first;
      rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), partition)->offset = first;
    }
  }
  state->queue.reset(rd_kafka_queue_get_consumer(state->client.get()));
  const rd_kafka_resp_err_t code = rd_kafka_assign(state->client.get(), partitions.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(
        Failure{.message = fmt::format("partitions cannot be read: {}", rd_kafka_err2str(code))});
  }
  return std::unique_ptr<TopicReader>{new TopicReader(std::move(state))};
}

std::expected<std::size_t, Failure> TopicReader::read(
    const std::function<void(const TopicRecord&)>& handle, std::size_t most,
    std::chrono::milliseconds wait) {
  auto& messages = state_->messages;
  most = std::min(most, messages.size());
  const auto take = [&](int timeout, std::size_t first, std::size_t count) {
    const ssize_t got =
        rd_kafka_consume_batch_queue(state_->queue.get(), timeout, messages.data() + first, count);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  };
  std::size_t count = take(static_cast<int>(wait.count()), 0, 1);
  if (count != 0 && most > 1) count += take(0, 1, most - 1);
  std::size_t records = 0;
  std::optional<Failure> failure;
  for (std::size_t i = 0; i < count; ++i) {
    const MessageHandle message{messages[i]};
    if (failure) continue;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      // Past what transactions leave behind, which is no record.
      auto& position = state_->positions[{rd_kafka_topic_name(message->rkt), message->partition}];
      position = std::max(position, message->offset);
      continue;
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Trouble with brokers is waited out; deleted records and forbidden topics are not.
      if (message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
          message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
          message->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        failure = Failure{.message = rd_kafka_message_errstr(message.get())};
      }
      continue;
    }
    TopicRecord record{.topic = rd_kafka_topic_name(message->rkt),
                       .partition = message->partition,
                       .offset = message->offset};
    if (message->key != nullptr) {
      record.key = std::string_view{static_cast<const char*>(message->key), message->key_len};
    }
    if (message->payload != nullptr) {
      record.value = std::string_view{static_cast<const char*>(message->payload), message->len};
    }
    state_->positions[{std::string{record.topic}, record.partition}] = record.offset + 1;
    ++records;
    handle(record);
  }
  if (failure) return std::unexpected(*failure);
  return records;
}

std::expected<bool, Failure> TopicReader::at_end() {
  for (const auto& [partition, position] : state_->positions) {
    const auto found = state_->probe.watermarks(partition.first, partition.second);
    if (!found) return std::unexpected(found.error());
    if (position < found->high) return false;
  }
  return true;
}

}  // namespace kaspar::nodes::kafka
