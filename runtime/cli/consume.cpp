// kaspar consume: prints the records of topics as they come.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/kafka/topic_reader.hpp"
#include "runtime/cli/client_options.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/record_text.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {
namespace {

struct ConsumeOptions {
  std::vector<std::string> topics;
  ClientOptions client;
  std::string from = "beginning";
  std::string output = "text";
  std::optional<std::uint64_t> limit;
  bool until_end = false;
};

ExitStatus consume(const ConsumeOptions& options) {
  std::atomic<bool> stopped{false};
  const SignalWatch signals{[&stopped] { stopped = true; }};
  const std::unique_ptr<EventLog> log = observe::make_event_log();
  const auto settings = client_settings(options.client);
  if (!settings) return settings.error();
  auto reader =
      nodes::kafka::TopicReader::open(*settings, options.topics, options.from == "beginning", *log);
  if (!reader) return tell(reader.error());
  std::string text;
  const auto print = [&](const nodes::kafka::TopicRecord& record) {
    const PrintedRecord printed{.topic = record.topic, .key = record.key, .value = record.value};
    text += options.output == "json" ? record_json(printed) : record_line(printed);
    text += '\n';
  };
  std::uint64_t left = options.limit.value_or(UINT64_MAX);
  while (!stopped && left != 0) {
    auto count = (*reader)->read(print, left, std::chrono::milliseconds{100});
    const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
    if (!written || std::fflush(stdout) != 0) {
      return tell({.message = "standard output cannot be written"});
    }
    text.clear();
    if (!count) return tell(count.error());
    left -= *count;
    if (*count != 0 || !options.until_end) continue;
    auto end = (*reader)->at_end();
    if (!end) return tell(end.error());
    if (*end) break;
  }
  return ExitStatus::Fine;
}

}  // namespace

void add_consume(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("consume", "Print the records of topics, until a signal");
  auto options = std::make_shared<ConsumeOptions>();
  command->add_option("--topic", options->topics, "the topics to read")->required();
  add_client_options(*command, options->client);
  command->add_option("--from", options->from, "beginning, or end: only what comes from now on")
      ->check(CLI::IsMember({"beginning", "end"}))
      ->capture_default_str();
  command->add_option("--limit", options->limit, "stop after so many records");
  command->add_flag("--until-end", options->until_end, "stop once everything there is was printed");
  command->add_option("--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return consume(*options); }; });
}

}  // namespace kaspar::cli
