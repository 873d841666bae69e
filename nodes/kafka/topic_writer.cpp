#include "nodes/kafka/topic_writer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {

using std::chrono::milliseconds;

struct TopicWriter::State final : ClientEvents {
  State(EventLog& log, std::string name, Delivered on_delivered)
      : ClientEvents(log), topic(std::move(name)), delivered(std::move(on_delivered)) {}

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
    auto& self = owner<State>(opaque);
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) return self.refuse(message->err);
    if (!self.delivered) return;
    std::optional<std::string_view> key;
    if (message->key != nullptr) {
      key = std::string_view{static_cast<const char*>(message->key), message->key_len};
    }
    self.delivered(key, {static_cast<const char*>(message->payload), message->len});
  }

  void refuse(rd_kafka_resp_err_t code) {
    if (failure) return;
    failure = Failure{.message = fmt::format("the topic `{}` did not take a record: {}", topic,
                                             rd_kafka_err2str(code))};
  }

  std::string topic;
  Delivered delivered;
  std::optional<Failure> failure;
  TopicHandle handle;
  ClientHandle client;
};

TopicWriter::TopicWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

TopicWriter::~TopicWriter() {
  if (!state_->client) return;
  state_->delivered = nullptr;
  rd_kafka_purge(state_->client.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_poll(state_->client.get(), 0);
  state_->handle.reset();
}

std::expected<std::unique_ptr<TopicWriter>, Failure> TopicWriter::open(
    const KafkaSettings& settings, const std::string& topic, EventLog& log, Delivered delivered) {
  ClusterProbe probe(settings, log);
  if (auto connected = probe.connect(); !connected) {
    return std::unexpected(std::move(connected.error()));
  }
  if (auto there = probe.existing(topic, "create it, or correct the name"); !there) {
    return std::unexpected(std::move(there.error()));
  }
  const std::size_t largest =
      std::clamp<std::size_t>(probe.max_message_bytes(topic), 1'000, 1'000'000'000);
  auto state = std::make_unique<State>(log, topic, std::move(delivered));
  ClientConfiguration configuration{
      .type = RD_KAFKA_PRODUCER,
      .defaults = {{"client.id", "kaspar"}, {"linger.ms", "1"}},
      .owned = {{"enable.idempotence", "true"},
                {"acks", "all"},
                {"message.timeout.ms", "0"},
                {"partitioner", "murmur2_random"},
                {"queue.buffering.max.messages", "100000"},
                {"queue.buffering.max.kbytes", "65536"},
                {"batch.size", std::to_string(std::min<std::size_t>(largest, 1'000'000))},
                {"message.max.bytes", std::to_string(largest)}},
      .add_callbacks = [](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_dr_msg_cb(conf, State::on_delivery);
      }};
  auto client = make_client(configuration, settings, *state);
  if (!client) return std::unexpected(std::move(client.error()));
  state->client = std::move(*client);
  state->connected();
  state->handle.reset(rd_kafka_topic_new(state->client.get(), topic.c_str(), nullptr));
  return std::unique_ptr<TopicWriter>{new TopicWriter(std::move(state))};
}

std::expected<void, Failure> TopicWriter::write(std::optional<std::string_view> key,
                                                std::string_view value) {
  constexpr const char* empty = "";
  while (!state_->failure) {
    const char* bytes = value.data() != nullptr ? value.data() : empty;
    const char* key_bytes = key ? (key->data() != nullptr ? key->data() : empty) : nullptr;
    if (rd_kafka_produce(state_->handle.get(), RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                         const_cast<char*>(bytes), value.size(), key_bytes, key ? key->size() : 0,
                         nullptr) == 0) {
      rd_kafka_poll(state_->client.get(), 0);
      break;
    }
    const rd_kafka_resp_err_t code = rd_kafka_last_error();
    if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      state_->refuse(code);
      break;
    }
    rd_kafka_poll(state_->client.get(), 100);
  }
  if (state_->failure) return std::unexpected(*state_->failure);
  return {};
}

std::expected<void, Failure> TopicWriter::flush(milliseconds within) {
  const rd_kafka_resp_err_t code =
      rd_kafka_flush(state_->client.get(), static_cast<int>(within.count()));
  if (state_->failure) return std::unexpected(*state_->failure);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(
      Failure{.message = fmt::format("{} records were not delivered within {} ms", under_way(),
                                     within.count())});
}

std::size_t TopicWriter::under_way() const {
  return static_cast<std::size_t>(rd_kafka_outq_len(state_->client.get()));
}

}  // namespace kaspar::nodes::kafka
