#include "nodes/kafka/embedded_broker.hpp"

#include <fmt/format.h>
#include <rdkafka.h>
// after rdkafka.h
#include <rdkafka_mock.h>

#include <array>
#include <cstdint>
#include <vector>

#include "nodes/kafka/handles.hpp"

namespace kaspar::nodes::kafka {

struct EmbeddedBroker::Cluster {
  ClientHandle client;  // whose threads serve it; destroyed last
  std::unique_ptr<rd_kafka_mock_cluster_t, Destroy<rd_kafka_mock_cluster_destroy>> mock;
};

EmbeddedBroker::EmbeddedBroker(std::unique_ptr<Cluster> cluster) : cluster_(std::move(cluster)) {}
EmbeddedBroker::EmbeddedBroker(EmbeddedBroker&&) noexcept = default;
EmbeddedBroker& EmbeddedBroker::operator=(EmbeddedBroker&&) noexcept = default;
EmbeddedBroker::~EmbeddedBroker() = default;

std::expected<EmbeddedBroker, Failure> EmbeddedBroker::start() {
  auto cluster = std::make_unique<Cluster>();
  std::array<char, 512> error{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  // It would say that it has no broker to connect to.
  rd_kafka_conf_set(conf, "log_level", "3", error.data(), error.size());
  cluster->client.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size()));
  if (!cluster->client) {
    rd_kafka_conf_destroy(conf);
    return std::unexpected(
        Failure{.message = fmt::format("the embedded broker cannot start: {}", error.data())});
  }
  cluster->mock.reset(rd_kafka_mock_cluster_new(cluster->client.get(), 1));
  if (!cluster->mock) {
    return std::unexpected(Failure{
        .message = "the embedded broker cannot start: no port on 127.0.0.1 could be opened"});
  }
#if RD_KAFKA_VERSION >= 0x020300ff
  // Nobody else is about to join: a group need not wait for others.
  rd_kafka_mock_group_initial_rebalance_delay_ms(cluster->mock.get(), 0);
#endif
  return EmbeddedBroker{std::move(cluster)};
}

std::expected<void, Failure> EmbeddedBroker::create_topic(const std::string& name, int partitions) {
  const rd_kafka_resp_err_t code =
      rd_kafka_mock_topic_create(cluster_->mock.get(), name.c_str(), partitions, 1);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  return std::unexpected(
      Failure{.message = fmt::format("the embedded broker cannot make the topic `{}`: {}", name,
                                     rd_kafka_err2str(code))});
}

void EmbeddedBroker::refuse_writes(std::size_t after, std::size_t count) {
  constexpr std::int16_t produce = 0;
  std::vector<rd_kafka_resp_err_t> answers(after, RD_KAFKA_RESP_ERR_NO_ERROR);
  answers.resize(after + count, RD_KAFKA_RESP_ERR_INVALID_RECORD);
  rd_kafka_mock_push_request_errors_array(cluster_->mock.get(), produce, answers.size(),
                                          answers.data());
}

std::string EmbeddedBroker::address() const {
  return rd_kafka_mock_cluster_bootstraps(cluster_->mock.get());
}

}  // namespace kaspar::nodes::kafka
