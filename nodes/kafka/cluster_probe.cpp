#include "nodes/kafka/cluster_probe.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cstring>
#include <thread>
#include <vector>

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

using NewTopic = std::unique_ptr<rd_kafka_NewTopic_t, Destroy<rd_kafka_NewTopic_destroy>>;
using Options = std::unique_ptr<rd_kafka_AdminOptions_t, Destroy<rd_kafka_AdminOptions_destroy>>;
using Resource =
    std::unique_ptr<rd_kafka_ConfigResource_t, Destroy<rd_kafka_ConfigResource_destroy>>;

/// Runs one admin request and waits for its event.
template <class Request>
EventHandle ask(rd_kafka_t* client, rd_kafka_admin_op_t operation, int timeout,
                const Request& request, void (*set)(rd_kafka_AdminOptions_t*) = nullptr) {
  const Options options{rd_kafka_AdminOptions_new(client, operation)};
  std::array<char, 256> error{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), timeout, error.data(), error.size());
  if (set != nullptr) set(options.get());
  const QueueHandle queue{rd_kafka_queue_new(client)};
  request(options.get(), queue.get());
  return EventHandle{rd_kafka_queue_poll(queue.get(), timeout + 1'000)};
}

}  // namespace

std::expected<void, Failure> ClusterProbe::connect() {
  auto client = make_client({.type = RD_KAFKA_CONSUMER,
                             .defaults = {{"client.id", "kaspar"}},
                             .owned = {{"allow.auto.create.topics", "false"}}},
                            settings_, events_);
  if (!client) return std::unexpected(std::move(client.error()));
  client_ = std::move(*client);
  char* id = rd_kafka_clusterid(client_.get(), timeout());
  if (id != nullptr) {
    // librdkafka's mock cluster leaves admin requests unanswered until they time out.
    embedded_ = std::string_view{id}.starts_with("mockCluster");
    rd_kafka_mem_free(client_.get(), id);
    events_.connected();
    return {};
  }
  const std::string trouble = events_.last_trouble();
  return std::unexpected(Failure{
      .status = ExitStatus::Failed,
      .message =
          fmt::format("no Kafka broker answered at `{}` within {} ms{}{}", settings_.brokers,
                      settings_.connect_timeout.count(), trouble.empty() ? "" : ": ", trouble),
      .help = "say where they are with `--brokers HOST:PORT` or KASPAR_BROKERS"});
}

std::expected<std::optional<int>, Failure> ClusterProbe::partitions(const std::string& topic) {
  auto state = this->topic(topic);
  if (!state) return std::unexpected(std::move(state.error()));
  return *state ? std::optional{(*state)->partitions} : std::nullopt;
}

std::expected<int, Failure> ClusterProbe::existing(const std::string& topic,
                                                   std::string_view advice) {
  constexpr milliseconds propagation{2'000};
  const auto deadline = steady_clock::now() + propagation;
  while (true) {
    auto count = partitions(topic);
    if (!count) return std::unexpected(std::move(count.error()));
    if (*count) return **count;
    if (steady_clock::now() > deadline) {
      return std::unexpected(missing_topic(topic, settings_.brokers, advice));
    }
    std::this_thread::sleep_for(milliseconds{50});
  }
}

std::expected<std::optional<TopicState>, Failure> ClusterProbe::topic(const std::string& topic) {
  const TopicHandle handle{rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr)};
  if (!handle) {
    return std::unexpected(
        Failure{.status = ExitStatus::Problems,
                .message = fmt::format("`{}` is no name of a topic: {}", topic,
                                       rd_kafka_err2str(rd_kafka_last_error()))});
  }
  const auto deadline = steady_clock::now() + settings_.connect_timeout;
  while (true) {
    const rd_kafka_metadata_t* metadata = nullptr;
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(client_.get(), 0, handle.get(), &metadata, timeout());
    std::optional<TopicState> state;
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (metadata->topic_cnt == 1) {
        const rd_kafka_metadata_topic_t& told = metadata->topics[0];
        code = told.err;
        state.emplace().partitions = told.partition_cnt;
        for (int i = 0; i < told.partition_cnt; ++i) {
          if (told.partitions[i].leader < 0) state->leaderless.push_back(told.partitions[i].id);
        }
      }
      rd_kafka_metadata_destroy(metadata);
    }
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return state;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ||
        code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC) {
      return std::nullopt;
    }
    // A topic that was just created has no leader yet.
    if (code != RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE || steady_clock::now() > deadline) {
      return std::unexpected(
          Failure{.status = ExitStatus::Failed,
                  .message = fmt::format("the topic `{}` at `{}` cannot be used: {}", topic,
                                         settings_.brokers, rd_kafka_err2str(code))});
    }
    std::this_thread::sleep_for(milliseconds{50});
  }
}

std::expected<void, Failure> ClusterProbe::ask_to_create(const std::string& topic, int partitions,
                                                         int replication, bool validate_only) {
  const auto refused = [&](std::string_view why) {
    return std::unexpected(
        Failure{.status = ExitStatus::Failed,
                .message = fmt::format("the topic `{}` cannot be created: {}", topic, why)});
  };
  std::array<char, 256> error{};
  const NewTopic wanted{
      rd_kafka_NewTopic_new(topic.c_str(), partitions, replication, error.data(), error.size())};
  if (!wanted) return refused(error.data());
  const EventHandle answer =
      ask(client_.get(), RD_KAFKA_ADMIN_OP_CREATETOPICS, timeout(),
          [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            rd_kafka_NewTopic_t* topics[] = {wanted.get()};
            rd_kafka_CreateTopics(client_.get(), topics, 1, options, queue);
          },
          validate_only ? +[](rd_kafka_AdminOptions_t* options) {
            std::array<char, 256> unset{};
            rd_kafka_AdminOptions_set_validate_only(options, 1, unset.data(), unset.size());
          } : nullptr);
  if (!answer) return refused("no answer");
  if (rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return refused(rd_kafka_event_error_string(answer.get()));
  }
  std::size_t count = 0;
  const auto* const* results =
      rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
      continue;
    }
    const char* why = rd_kafka_topic_result_error_string(results[i]);
    return refused(why != nullptr ? why : rd_kafka_err2str(code));
  }
  return {};
}

std::expected<void, Failure> ClusterProbe::may_create(const std::string& topic, int partitions,
                                                      int replication) {
  if (embedded_) return {};
  return ask_to_create(topic, partitions, replication, true);
}

std::expected<void, Failure> ClusterProbe::create(const std::string& topic, int partitions,
                                                  int replication) {
  if (auto asked = ask_to_create(topic, partitions, replication, false); !asked) return asked;
  // Metadata follows the controller's answer a little later.
  const auto deadline = steady_clock::now() + settings_.connect_timeout;
  while (steady_clock::now() < deadline) {
    auto served = this->partitions(topic);
    if (!served) return std::unexpected(std::move(served.error()));
    if (*served) return {};
    std::this_thread::sleep_for(milliseconds{50});
  }
  return std::unexpected(
      Failure{.status = ExitStatus::Failed,
              .message = fmt::format("the topic `{}` was created but is not served", topic)});
}

#if RD_KAFKA_VERSION >= 0x020300ff
namespace {

/// The list is empty where the broker did not tell.
std::optional<Operations> operations(const rd_kafka_AclOperation_t* granted, std::size_t count) {
  if (granted == nullptr || count == 0) return std::nullopt;
  Operations operations;
  for (std::size_t i = 0; i < count; ++i) {
    if (granted[i] == RD_KAFKA_ACL_OPERATION_READ) operations.read = true;
    if (granted[i] == RD_KAFKA_ACL_OPERATION_WRITE) operations.write = true;
  }
  return operations;
}

void include_operations(rd_kafka_AdminOptions_t* options) {
  const ErrorHandle unset{rd_kafka_AdminOptions_set_include_authorized_operations(options, 1)};
}

}  // namespace

std::optional<Operations> ClusterProbe::topic_operations(const std::string& topic) {
  if (embedded_) return std::nullopt;
  using Names =
      std::unique_ptr<rd_kafka_TopicCollection_t, Destroy<rd_kafka_TopicCollection_destroy>>;
  const char* name = topic.c_str();
  const Names names{rd_kafka_TopicCollection_of_topic_names(&name, 1)};
  const EventHandle answer = ask(
      client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBETOPICS, timeout(),
      [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        rd_kafka_DescribeTopics(client_.get(), names.get(), options, queue);
      },
      include_operations);
  if (!answer || rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  std::size_t count = 0;
  const auto* const* topics = rd_kafka_DescribeTopics_result_topics(
      rd_kafka_event_DescribeTopics_result(answer.get()), &count);
  if (count != 1) return std::nullopt;
  const rd_kafka_resp_err_t code = rd_kafka_error_code(rd_kafka_TopicDescription_error(topics[0]));
  if (code == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED) return Operations{};
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const auto* granted = rd_kafka_TopicDescription_authorized_operations(topics[0], &count);
  return operations(granted, count);
}

std::optional<Operations> ClusterProbe::group_operations(const std::string& group) {
  if (embedded_) return std::nullopt;
  const EventHandle answer = ask(
      client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, timeout(),
      [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
        const char* name = group.c_str();
        rd_kafka_DescribeConsumerGroups(client_.get(), &name, 1, options, queue);
      },
      include_operations);
  if (!answer || rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::nullopt;
  }
  std::size_t count = 0;
  const auto* const* groups = rd_kafka_DescribeConsumerGroups_result_groups(
      rd_kafka_event_DescribeConsumerGroups_result(answer.get()), &count);
  if (count != 1) return std::nullopt;
  const rd_kafka_resp_err_t code =
      rd_kafka_error_code(rd_kafka_ConsumerGroupDescription_error(groups[0]));
  if (code == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED) return Operations{};
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const auto* granted = rd_kafka_ConsumerGroupDescription_authorized_operations(groups[0], &count);
  return operations(granted, count);
}
#else
std::optional<Operations> ClusterProbe::topic_operations(const std::string&) {
  return std::nullopt;
}
std::optional<Operations> ClusterProbe::group_operations(const std::string&) {
  return std::nullopt;
}
#endif

std::expected<Watermarks, Failure> ClusterProbe::watermarks(const std::string& topic,
                                                            std::int32_t partition) {
  Watermarks found;
  const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
      client_.get(), topic.c_str(), partition, &found.low, &found.high, timeout());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return found;
  return std::unexpected(
      Failure{.message = fmt::format("the end of the topic `{}` cannot be found out: {}", topic,
                                     rd_kafka_err2str(code))});
}

std::size_t ClusterProbe::max_message_bytes(const std::string& topic) {
  if (embedded_) return default_max_message_bytes;
  const Resource wanted{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str())};
  const EventHandle answer =
      ask(client_.get(), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, timeout(),
          [&](const rd_kafka_AdminOptions_t* options, rd_kafka_queue_t* queue) {
            rd_kafka_ConfigResource_t* resources[] = {wanted.get()};
            rd_kafka_DescribeConfigs(client_.get(), resources, 1, options, queue);
          });
  // Not every broker tells, nor everyone may ask.
  if (!answer || rd_kafka_event_error(answer.get()) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return default_max_message_bytes;
  }
  std::size_t count = 0;
  const auto* const* resources = rd_kafka_DescribeConfigs_result_resources(
      rd_kafka_event_DescribeConfigs_result(answer.get()), &count);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t entries = 0;
    const auto* const* configs = rd_kafka_ConfigResource_configs(resources[i], &entries);
    for (std::size_t j = 0; j < entries; ++j) {
      if (std::strcmp(rd_kafka_ConfigEntry_name(configs[j]), "max.message.bytes") != 0) continue;
      const char* text = rd_kafka_ConfigEntry_value(configs[j]);
      std::size_t bytes = 0;
      if (text != nullptr &&
          std::from_chars(text, text + std::strlen(text), bytes).ec == std::errc{}) {
        return bytes;
      }
    }
  }
  return default_max_message_bytes;
}

Failure missing_topic(std::string_view topic, std::string_view brokers, std::string_view help) {
  return {.status = ExitStatus::Failed,
          .message = fmt::format("there is no topic `{}` at `{}`", topic, brokers),
          .help = std::string{help}};
}

}  // namespace kaspar::nodes::kafka
