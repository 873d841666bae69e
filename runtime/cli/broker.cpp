// `kaspar broker`: the embedded broker by itself, for clients to try against.
#include <fmt/core.h>

#include <charconv>
#include <cstdio>
#include <memory>
#include <optional>
#include <semaphore>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>

#include "nodes/kafka/embedded_broker.hpp"
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

ExitStatus failed(const Failure& failure) {
  fmt::print(stderr, "error: {}\n", failure.message);
  return failure.status;
}

ExitStatus serve(const std::vector<Topic>& topics) {
  std::binary_semaphore stopped{0};
  const SignalWatch signals{[&stopped] { stopped.release(); }};
  auto broker = nodes::kafka::EmbeddedBroker::start();
  if (!broker) return failed(broker.error());
  for (const Topic& topic : topics) {
    if (auto created = broker->create_topic(topic.name, topic.partitions); !created) {
      return failed(created.error());
    }
  }
  fmt::print("{}\n", broker->address());
  if (std::fflush(stdout) != 0) return ExitStatus::Failed;
  stopped.acquire();
  return ExitStatus::Fine;
}

}  // namespace

void add_broker(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "broker", "An embedded Kafka broker by itself, in memory, until SIGTERM; prints its address");
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
