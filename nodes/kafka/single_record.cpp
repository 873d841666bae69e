#include "nodes/kafka/single_record.hpp"

#include <fmt/format.h>

#include <chrono>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds patience{10'000};

std::optional<std::string> copied(const void* data, std::size_t size) {
  if (data == nullptr) return std::nullopt;
  return std::string{static_cast<const char*>(data), size};
}

SingleRecord copy_of(const rd_kafka_message_t& message) {
  SingleRecord record{.topic = rd_kafka_topic_name(message.rkt),
                      .partition = message.partition,
                      .offset = message.offset,
                      .key = copied(message.key, message.key_len),
                      .value = copied(message.payload, message.len)};
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &kind);
  if (kind != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE) record.timestamp = timestamp;
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    for (std::size_t i = 0;
         rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      record.headers.emplace_back(name, copied(value, size));
    }
  }
  return record;
}

}  // namespace

struct RecordFetcher::State final : ClientEvents {
  State(const KafkaSettings& settings, EventLog& log) : ClientEvents(log), probe(settings, log) {}

  ClusterProbe probe;
  ClientHandle client;
  QueueHandle queue;
};

RecordFetcher::RecordFetcher(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordFetcher::~RecordFetcher() { state_->queue.reset(); }

std::expected<std::unique_ptr<RecordFetcher>, Failure> RecordFetcher::open(
    const KafkaSettings& settings, bool committed, EventLog& log) {
  auto state = std::make_unique<State>(settings, log);
  if (auto connected = state->probe.connect(); !connected) {
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
                 {"queued.min.messages", "1"},
                 {"auto.offset.reset", "error"},
                 {"isolation.level", committed ? "read_committed" : "read_uncommitted"},
                 {"allow.auto.create.topics", "false"}}},
      settings, *state);
  if (!client) return std::unexpected(std::move(client.error()));
  state->client = std::move(*client);
  state->connected();
  rd_kafka_poll_set_consumer(state->client.get());
  state->queue.reset(rd_kafka_queue_get_consumer(state->client.get()));
  return std::unique_ptr<RecordFetcher>{new RecordFetcher(std::move(state))};
}

std::expected<SingleRecord, Failure> RecordFetcher::fetch(const std::string& topic,
                                                          std::int32_t partition,
                                                          std::int64_t offset) {
  const auto missing = [&](std::string why, std::string help) {
    return std::unexpected(Failure{
        .message = fmt::format("there is no record {}:{}:{}: {}", topic, partition, offset, why),
        .help = std::move(help)});
  };
  const auto count = state_->probe.existing(topic, "correct the name");
  if (!count) return std::unexpected(count.error());
  if (partition < 0 || partition >= *count) {
    return missing(fmt::format("the topic has {} partitions", *count), "they count from 0");
  }
  const auto found = state_->probe.watermarks(topic, partition);
  if (!found) return std::unexpected(found.error());
  if (offset < found->low || offset >= found->high) {
    return missing(found->low == found->high
                       ? std::string{"the partition is empty"}
                       : fmt::format("the partition has {} to {}", found->low, found->high - 1),
                   {});
  }
  const PartitionList partitions = make_partition_list(1);
  rd_kafka_topic_partition_list_add(partitions.get(), topic.c_str(), partition)->offset = offset;
  const rd_kafka_resp_err_t code = rd_kafka_assign(state_->client.get(), partitions.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(
        Failure{.message = fmt::format("partitions cannot be read: {}", rd_kafka_err2str(code))});
  }
  const auto deadline = steady_clock::now() + patience;
  while (steady_clock::now() < deadline) {
    rd_kafka_message_t* raw = nullptr;
    if (rd_kafka_consume_batch_queue(state_->queue.get(), 100, &raw, 1) != 1) continue;
    const MessageHandle message{raw};
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF ||
        (message->err == RD_KAFKA_RESP_ERR_NO_ERROR && message->offset > offset)) {
      // What is left of an earlier assignment is not of this one.
      if (message->partition != partition || topic != rd_kafka_topic_name(message->rkt)) continue;
      return missing(
          "what has this offset is a transaction's marker, or was compacted away or not "
          "committed",
          {});
    }
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
          message->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET) {
        return std::unexpected(Failure{.message = rd_kafka_message_errstr(message.get())});
      }
      continue;
    }
    if (message->offset == offset && message->partition == partition) return copy_of(*message);
  }
  return std::unexpected(
      Failure{.message = fmt::format("the record {}:{}:{} did not come within {} s", topic,
                                     partition, offset, patience / std::chrono::seconds{1})});
}

std::optional<TopicRoom> room_of_topic(const KafkaSettings& settings, const std::string& topic,
                                       EventLog& log) {
  ClusterProbe probe(settings, log);
  if (!probe.connect()) return std::nullopt;
  const auto count = probe.partitions(topic);
  if (!count || !*count) return std::nullopt;
  return TopicRoom{.partitions = **count,
                   .largest_record = largest_record_within(probe.max_message_bytes(topic))};
}

std::optional<std::int32_t> partition_for(std::string_view partitioner,
                                          std::optional<std::string_view> key,
                                          std::int32_t partitions) {
  if (partitions <= 0) return std::nullopt;
  if (partitions == 1) return 0;
  // As librdkafka's `…_random` ones, which sinks use.
  const bool none = !key || (key->empty() && partitioner == "crc32");
  if (none || partitioner == "random") return std::nullopt;
  const auto by = partitioner == "crc32"   ? rd_kafka_msg_partitioner_consistent
                  : partitioner == "fnv1a" ? rd_kafka_msg_partitioner_fnv1a
                                           : rd_kafka_msg_partitioner_murmur2;
  return by(nullptr, key->data(), key->size(), partitions, nullptr, nullptr);
}

}  // namespace kaspar::nodes::kafka
