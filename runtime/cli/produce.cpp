// kaspar produce: writes lines to a topic, one record each.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "nodes/kafka/topic_writer.hpp"
#include "runtime/cli/client_options.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/lines.hpp"
#include "runtime/cli/record_text.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {
namespace {

using Clock = std::chrono::steady_clock;

struct ProduceOptions {
  std::string file = "-";
  std::string topic;
  ClientOptions client;
  std::string key = "clock";
  std::string output = "text";
  std::optional<double> rate;
  std::optional<std::uint64_t> limit;
};

constexpr std::string_view column_prefix = "column:";

/// The number after `column:`, which counts from 1.
std::optional<std::size_t> key_column(std::string_view key) {
  if (!key.starts_with(column_prefix)) return std::nullopt;
  key.remove_prefix(column_prefix.size());
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(key.data(), key.data() + key.size(), number);
  if (error != std::errc{} || stop != key.data() + key.size() || number == 0) return std::nullopt;
  return number;
}

bool is_key(const std::string& text) {
  return text == "clock" || text == "counter" || text == "none" || key_column(text);
}

/// The text of the column, without the quotes around it; nothing where the line is shorter.
std::optional<std::string> column_of(std::string_view line, std::size_t number) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  bool quoted = false;
  std::size_t column = 1;
  std::string text;
  for (const char c : line) {
    if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      if (column == number) return text;
      ++column;
    } else if (column == number) {
      text += c;
    }
  }
  if (column != number) return std::nullopt;
  return text;
}

class Producing {
 public:
  explicit Producing(const ProduceOptions& options)
      : options_(options), log_(observe::make_event_log()) {}

  ExitStatus run() {
    const SignalWatch signals{[this] { stopped_ = true; }};
    auto settings = client_settings(options_.client);
    if (!settings) return settings.error();
    settings_ = std::move(*settings);
    auto opened = nodes::kafka::TopicWriter::open(
        settings_, options_.topic, *log_,
        [this](std::optional<std::string_view> key, std::string_view value) { print(key, value); });
    if (!opened) return tell(opened.error());
    writer_ = std::move(*opened);
    auto written = for_each_line(
        options_.file, [this](std::string_view line) { return write(line); },
        [this] { return stopped_ || (options_.limit && row_ >= *options_.limit); });
    // Lines before one that is wrong are written all the same.
    auto flushed = flush();
    if (!written) return tell(written.error());
    if (!flushed) return tell(flushed.error());
    return printed_ ? ExitStatus::Fine : tell({.message = "standard output cannot be written"});
  }

 private:
  /// Waits for what was written, unless a signal ends it.
  std::expected<void, Failure> flush() {
    while (true) {
      auto flushed = writer_->flush(std::chrono::milliseconds{100});
      if (flushed || writer_->under_way() == 0 || stopped_) return flushed;
    }
  }

  std::expected<void, Failure> write(std::string_view line) {
    wait_for_turn();
    if (stopped_) return {};
    std::optional<std::string> key;
    if (options_.key == "clock") {
      key = clock_key(start_, row_);
    } else if (options_.key == "counter") {
      key = std::to_string(row_);
    } else if (const auto column = key_column(options_.key)) {
      key = column_of(line, *column);
      if (!key) {
        return std::unexpected(Failure{
            .status = ExitStatus::Problems,
            .message = fmt::format("line {} has no column {} for its key", row_ + 1, *column)});
      }
    }
    ++row_;
    return writer_->write(key, line);
  }

  void wait_for_turn() {
    if (!options_.rate) return;
    const auto due =
        begun_ + std::chrono::duration_cast<Clock::duration>(
                     std::chrono::duration<double>(static_cast<double>(row_) / *options_.rate));
    while (!stopped_ && Clock::now() < due) {
      // Serves delivery reports, so that records are printed as they arrive.
      (void)writer_->flush(std::chrono::milliseconds{0});
      std::this_thread::sleep_for(
          std::min<Clock::duration>(due - Clock::now(), std::chrono::milliseconds{20}));
    }
  }

  void print(std::optional<std::string_view> key, std::string_view value) {
    const PrintedRecord record{.topic = options_.topic, .key = key, .value = value};
    const std::string line =
        (options_.output == "json" ? record_json(record) : record_line(record)) + "\n";
    printed_ = printed_ && std::fwrite(line.data(), 1, line.size(), stdout) == line.size() &&
               (!options_.rate || std::fflush(stdout) == 0);
  }

  const ProduceOptions& options_;
  KafkaSettings settings_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<nodes::kafka::TopicWriter> writer_;
  std::atomic<bool> stopped_{false};
  std::uint64_t row_ = 0;
  bool printed_ = true;
  std::int64_t start_ = std::time(nullptr);
  Clock::time_point begun_ = Clock::now();
};

}  // namespace

void add_produce(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("produce", "Write lines to a topic, one record each");
  auto options = std::make_shared<ProduceOptions>();
  command->add_option("FILE", options->file, "the lines; - is standard input")
      ->capture_default_str();
  command->add_option("--topic", options->topic, "the topic to write")->required();
  add_client_options(*command, options->client);
  command->add_option("--rate", options->rate, "records a second; as fast as it goes unless given")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--key", options->key,
                   "clock (one second a record), counter, column:N of the line (from 1), or none")
      ->check([](const std::string& text) {
        return is_key(text) ? std::string{}
                            : fmt::format("`{}` is no clock, counter, column:N or none", text);
      })
      ->capture_default_str();
  command->add_option("--limit", options->limit, "stop after so many records");
  command->add_option("--output", options->output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback(
      [options, &action] { action = [options] { return Producing(*options).run(); }; });
}

}  // namespace kaspar::cli
