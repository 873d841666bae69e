// How a producer's client is made, and made anew.
#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "nodes/kafka/cluster_probe.hpp"
#include "nodes/kafka/producer.hpp"
#include "nodes/kafka/waits.hpp"

namespace kaspar::nodes::kafka {
namespace {

/// librdkafka's own default for a request's records.
constexpr std::size_t usual_batch_size = 1'000'000;

/// As the Java client's partitioners: keys by their hash, records without a key anywhere.
std::string partitioner_property(const std::string& name) {
  if (name == "crc32") return "consistent_random";
  return name == "random" ? name : name + "_random";
}

}  // namespace

std::expected<void, Failure> Producer::open() {
  if (client_) return {};
  if (auto found = look_up(); !found) {
    if (delivery_ == Delivery::Reliable) return found;
    // Nothing rests on it: its records fail until it is there.
    context_.log.write(LogLevel::Warning, "best_effort_unreachable", found.error().message);
    largest_.assign(topics_.size(), default_max_message_bytes);
  }
  return make();
}

std::expected<void, Failure> Producer::look_up() {
  ClusterProbe probe(cluster_, context_.log);
  if (auto connected = probe.connect(); !connected) return connected;
  for (const ProducedTopic& topic : topics_) {
    if (!topic.create) {
      auto there = probe.existing(
          topic.name,
          "create it, or say `create: { partitions = 3, replication = 1 }` in the sink");
      if (!there) return std::unexpected(std::move(there.error()));
    } else if (auto count = probe.partitions(topic.name); !count) {
      return std::unexpected(std::move(count.error()));
    } else if (!*count) {
      auto created = probe.create(topic.name, topic.create->partitions, topic.create->replication);
      if (!created) return created;
      context_.log.write(LogLevel::Info, "topic_created", "a sink's topic was created",
                         {{"topic", topic.name}});
    }
    largest_.push_back(probe.max_message_bytes(topic.name));
  }
  return {};
}

std::expected<void, Failure> Producer::make() {
  const auto [smallest, largest] = std::ranges::minmax(largest_);
  limits_.emplace_back("message.max.bytes", std::to_string(std::clamp<std::size_t>(
                                                largest + record_framing, 1'000, 1'000'000'000)));
  // A request is refused as a whole by a topic that takes less.
  if (smallest < usual_batch_size) {
    limits_.emplace_back("batch.size", std::to_string(std::max<std::size_t>(smallest, 1)));
  }
  for (std::size_t& bytes : largest_) bytes = largest_record_within(bytes);

  wakeup_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  reported_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakeup_ < 0 || reported_ < 0)
    return std::unexpected(Failure{.message = "no event descriptor is left"});
  if (auto connected = connect(); !connected) return connected;
  if (auto begun = ready(); !begun) return begun;
  thread_ = std::thread([this] { run(); });
  return {};
}

std::expected<void, Failure> Producer::connect() {
  ClientConfiguration configuration{
      .type = RD_KAFKA_PRODUCER,
      .defaults = producer_waits(context_.settings.mode),
      .owned = {{"acks", "all"},
                // A topic is made by `create`, never because somebody asks for it.
                {"allow.auto.create.topics", "false"},
                // Credits bound what is under way.
                {"queue.buffering.max.messages", "10000000"},
                {"queue.buffering.max.kbytes", "2147483647"}},
      .add_callbacks = [](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
      }};
  configuration.defaults.emplace_back("client.id", "kaspar");
  if (delivery_ == Delivery::Reliable) {
    configuration.owned.emplace_back("enable.idempotence", "true");
    configuration.owned.emplace_back("message.timeout.ms", "0");
    // What follows a refused request in its partition must not overtake what is read again.
    configuration.owned.emplace_back("enable.gapless.guarantee", "true");
    if (careful_) {
      // A partition that has nothing of this client yet would take its second request without the
      // first.
      configuration.owned.emplace_back("max.in.flight.requests.per.connection", "1");
      // What is awaited together goes together.
      configuration.owned.emplace_back("linger.ms", "2");
    }
  } else {
    // An idempotent producer must not give a record up; one request at a time keeps order too.
    configuration.owned.emplace_back("enable.idempotence", "false");
    configuration.owned.emplace_back("max.in.flight.requests.per.connection", "1");
    configuration.owned.emplace_back("message.timeout.ms", "30000");
  }
  configuration.owned.insert(configuration.owned.end(), limits_.begin(), limits_.end());
  configure(configuration);

  auto client = make_client(configuration, cluster_, *this);
  if (!client) return std::unexpected(std::move(client.error()));
  auto handles = make_topics(client->get());
  if (!handles) return std::unexpected(std::move(handles.error()));
  handles_ = std::move(*handles);
  client_ = std::move(*client);
  connected();

  constexpr std::uint64_t one = 1;
  const QueueHandle events{rd_kafka_queue_get_main(client_.get())};
  rd_kafka_queue_io_event_enable(events.get(), reported_, &one, sizeof one);
  wake();  // for what it had to tell before
  return {};
}

std::expected<void, Failure> Producer::reconnect() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_.get(), 1'000);  // serves reports
  reports_heard();
  forget_fatal();
  return connect();
}

std::expected<std::vector<TopicHandle>, Failure> Producer::make_topics(rd_kafka_t* client) const {
  std::vector<TopicHandle> handles;
  for (const ProducedTopic& topic : topics_) {
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client);
    const Properties properties = {{"compression.codec", topic.compression},
                                   {"partitioner", partitioner_property(topic.partitioner)}};
    std::array<char, 256> error{};
    for (const auto& [name, value] : properties) {
      if (rd_kafka_topic_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
          RD_KAFKA_CONF_OK) {
        rd_kafka_topic_conf_destroy(conf);
        return std::unexpected(
            Failure{.status = ExitStatus::Problems,
                    .message = fmt::format("`{}` cannot be `{}` for the topic `{}`: {}", name,
                                           value, topic.name, error.data())});
      }
    }
    handles.emplace_back(rd_kafka_topic_new(client, topic.name.c_str(), conf));
    if (!handles.back()) {
      return std::unexpected(
          Failure{.message = fmt::format("the topic `{}` cannot be used: {}", topic.name,
                                         rd_kafka_err2str(rd_kafka_last_error()))});
    }
  }
  return handles;
}

}  // namespace kaspar::nodes::kafka
