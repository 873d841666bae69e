// `kaspar broker`: librdkafka's mock cluster by itself, for clients to try against.
#include <fmt/core.h>
#include <rdkafka.h>
#include <rdkafka_mock.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "runtime/cli/commands.hpp"
#include "runtime/cli/signals.hpp"

namespace kaspar::cli {
namespace {

struct Topic {
  std::string name;
  int partitions = 0;
};

constexpr int most_partitions = 1'000;

/// Reads `NAME:PARTITIONS`.
std::optional<Topic> parse_topic(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == 0 || colon == std::string_view::npos) return std::nullopt;
  Topic topic{.name = std::string{text.substr(0, colon)}};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, topic.partitions);
  if (error != std::errc{} || stop != end) return std::nullopt;
  if (topic.partitions < 1 || topic.partitions > most_partitions) return std::nullopt;
  return topic;
}

ExitStatus failed(const std::string& what) {
  fmt::print(stderr, "error: the broker cannot start: {}\n", what);
  return ExitStatus::Failed;
}

ExitStatus serve(const std::vector<Topic>& topics) {
  std::binary_semaphore stopped{0};
  const SignalWatch signals{[&stopped] { stopped.release(); }};

  std::string error(512, '\0');
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
  const Client client{rd_kafka_new(RD_KAFKA_PRODUCER, conf, error.data(), error.size()),
                      &rd_kafka_destroy};
  if (!client) {
    rd_kafka_conf_destroy(conf);
    return failed(error.c_str());
  }
  using Cluster =
      std::unique_ptr<rd_kafka_mock_cluster_t, decltype(&rd_kafka_mock_cluster_destroy)>;
  const Cluster cluster{rd_kafka_mock_cluster_new(client.get(), 1), &rd_kafka_mock_cluster_destroy};
  if (!cluster) return failed("no port on 127.0.0.1 could be opened");

  for (const Topic& topic : topics) {
    const rd_kafka_resp_err_t code =
        rd_kafka_mock_topic_create(cluster.get(), topic.name.c_str(), topic.partitions, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return failed(fmt::format("topic `{}`: {}", topic.name, rd_kafka_err2str(code)));
    }
  }
  fmt::print("{}\n", rd_kafka_mock_cluster_bootstraps(cluster.get()));
  if (std::fflush(stdout) != 0) return ExitStatus::Failed;
  stopped.acquire();
  return ExitStatus::Fine;
}

}  // namespace

void add_broker(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "broker", "an embedded Kafka broker by itself, in memory, until SIGTERM; prints its address");
  auto topics = std::make_shared<std::vector<std::string>>();
  command
      ->add_option("--topic", *topics,
                   "create a topic at the start; others are made when first used, of 4 partitions")
      ->type_name("NAME:PARTITIONS")
      ->check([](const std::string& text) {
        return parse_topic(text) ? std::string{}
                                 : fmt::format("`{}` is no NAME:PARTITIONS with 1 to {} partitions",
                                               text, most_partitions);
      });
  command->callback([&action, topics] {
    action = [topics] {
      std::vector<Topic> parsed;
      for (const std::string& text : *topics) parsed.push_back(*parse_topic(text));
      return serve(parsed);
    };
  });
}

}  // namespace kaspar::cli
