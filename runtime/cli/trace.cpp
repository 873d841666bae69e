// kaspar trace: what a pipeline does with one record, stage by stage.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/kafka/single_record.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/record_name.hpp"
#include "runtime/cli/record_trace.hpp"
#include "runtime/cli/trace_text.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {
namespace {

struct TraceOptions {
  ProfileOptions profile;
  OutputOptions output;
  std::string file;
  std::vector<std::string> records;
  std::optional<std::string> row;
  std::optional<std::string> key;
  std::vector<std::string> headers;
  std::string header;
  std::string source;
};

Failure wrong_usage(std::string message, std::string help = {}) {
  return {.status = ExitStatus::Usage, .message = std::move(message), .help = std::move(help)};
}

bool on_kafka(const EndpointPlan& endpoint) { return endpoint.node->name == "kafka"; }

const KafkaSettings& cluster_of(const EndpointPlan& endpoint, const RunSettings& settings) {
  const KafkaSettings* cluster = settings.cluster(string_param(endpoint.params, "cluster"));
  return cluster != nullptr ? *cluster : settings.kafka;
}

std::string names_of(const std::vector<EndpointPlan>& sources, bool topics) {
  std::string names;
  for (const EndpointPlan& source : sources) {
    const std::string name = topics ? string_param(source.params, "topic") : source.name;
    if (!name.empty()) names += fmt::format("{}`{}`", names.empty() ? "" : ", ", name);
  }
  return names;
}

/// The source that `--row` is for.
std::expected<std::size_t, Failure> source_named(const Plan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.sources, name, &EndpointPlan::name);
  if (found != plan.sources.end()) return static_cast<std::size_t>(found - plan.sources.begin());
  if (!name.empty()) {
    return std::unexpected(wrong_usage(fmt::format("the file has no source `{}`", name),
                                       "it has " + names_of(plan.sources, false)));
  }
  if (plan.sources.size() == 1) return 0;
  return std::unexpected(
      wrong_usage("the file has several sources",
                  "say which one by `--source`: " + names_of(plan.sources, false)));
}

std::expected<TracedRecord, Failure> given_row(const Plan& plan, const TraceOptions& options) {
  auto source = source_named(plan, options.source);
  if (!source) return std::unexpected(std::move(source.error()));
  TracedRecord record{.source = *source, .key = options.key, .value = options.row};
  record.header = options.header;
  record.topic = string_param(plan.sources[*source].params, "topic");
  for (const std::string& text : options.headers) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return std::unexpected(
          wrong_usage(fmt::format("--header {}: it is given as NAME=VALUE", text)));
    }
    record.headers.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (bool_param(plan.sources[*source].params, "header", false) && record.header.empty()) {
    return std::unexpected(
        wrong_usage(fmt::format("the source `{}` names its columns in a first line",
                                plan.sources[*source].name),
                    "give that line by `--columns`"));
  }
  return record;
}

/// What brokers say of the sinks' topics. Nothing is created, and what is not told stays unknown.
void ask_about_sinks(const Plan& plan, const RunSettings& settings, EventLog& log,
                     SinkPartitions& partitions, SinkLimits& limits) {
  for (std::size_t i = 0; i < plan.sinks.size(); ++i) {
    const EndpointPlan& sink = plan.sinks[i];
    if (!on_kafka(sink)) continue;
    const auto room = nodes::kafka::room_of_topic(cluster_of(sink, settings),
                                                  string_param(sink.params, "topic"), log);
    if (!room) continue;
    partitions[i] = room->partitions;
    limits[i] = room->largest_record;
  }
}

class Tracing {
 public:
  Tracing(const TraceOptions& options, const Plan& plan, const RunSettings& settings)
      : options_(options), plan_(plan), settings_(settings) {}

  ExitStatus row(bool ask) {
    const auto record = given_row(plan_, options_);
    if (!record) return tell(record.error());
    if (ask) ask_about_sinks(plan_, settings_, *log_, partitions_, limits_);
    print(*record);
    return ExitStatus::Fine;
  }

  ExitStatus records(const std::vector<RecordName>& names) {
    std::map<const KafkaSettings*, std::unique_ptr<nodes::kafka::RecordFetcher>> fetchers;
    bool asked = false;
    for (const RecordName& name : names) {
      const auto source = std::ranges::find_if(plan_.sources, [&](const EndpointPlan& endpoint) {
        return on_kafka(endpoint) && string_param(endpoint.params, "topic") == name.topic;
      });
      if (source == plan_.sources.end()) {
        const std::string topics = names_of(plan_.sources, true);
        return tell(wrong_usage(
            fmt::format("the file reads no topic `{}`", name.topic),
            topics.empty() ? "it reads none: give a row by `--row`" : "it reads " + topics));
      }
      const KafkaSettings& cluster = cluster_of(*source, settings_);
      auto& fetcher = fetchers[&cluster];
      if (!fetcher) {
        auto opened = nodes::kafka::RecordFetcher::open(
            cluster, plan_.guarantee == Guarantee::ExactlyOnce, *log_);
        if (!opened) return tell(opened.error());
        fetcher = std::move(*opened);
      }
      if (!std::exchange(asked, true)) {
        ask_about_sinks(plan_, settings_, *log_, partitions_, limits_);
      }
      auto found = fetcher->fetch(name.topic, name.partition, name.offset);
      if (!found) return tell(found.error());
      print({.source = static_cast<std::size_t>(source - plan_.sources.begin()),
             .topic = found->topic,
             .partition = found->partition,
             .offset = found->offset,
             .timestamp = found->timestamp,
             .key = std::move(found->key),
             .value = std::move(found->value),
             .headers = std::move(found->headers)});
    }
    return ExitStatus::Fine;
  }

 private:
  void print(const TracedRecord& record) const {
    const std::vector<TracedChain> traced = trace_record(plan_, record, limits_);
    const std::string text = options_.output.kind() == OutputFormat::Json
                                 ? trace_json(plan_, record, traced, partitions_) + "\n"
                                 : trace_for_people(plan_, record, traced, partitions_,
                                                    options_.output.coloured(STDOUT_FILENO));
    fmt::print("{}", text);
  }

  const TraceOptions& options_;
  const Plan& plan_;
  const RunSettings& settings_;
  std::unique_ptr<EventLog> log_ = observe::make_event_log(LogLevel::Warning);
  SinkPartitions partitions_;
  SinkLimits limits_;
};

ExitStatus trace(const TraceOptions& options) {
  if (options.row.has_value() == !options.records.empty()) {
    return tell(wrong_usage("give a record as TOPIC:PARTITION:OFFSET, or a row by `--row`"));
  }
  std::vector<RecordName> names;
  for (const std::string& text : options.records) {
    const auto name = parse_record_name(text);
    if (!name) {
      return tell(wrong_usage(fmt::format("`{}` names no record", text),
                              "a record is TOPIC:PARTITION:OFFSET, such as inputs:0:42"));
    }
    names.push_back(*name);
  }
  NodeRegistry registry;
  nodes::register_all(registry);
  auto program = compile_configured(options.file, registry, {}, options.profile);
  if (!program) return tell(program.error());
  const dsl::Compiled& compiled = program->compiled;
  if (compiled.unreadable) return tell(wrong_usage(*compiled.unreadable));
  fmt::print(stderr, "{}",
             dsl::render_human(compiled.diagnostics, options.output.coloured(STDERR_FILENO)));
  if (!compiled.plan) return ExitStatus::Problems;
  RunSettings& settings = program->loaded.settings;
  Tracing tracing(options, *compiled.plan, settings);
  if (!options.row) return tracing.records(names);
  // A row needs no broker; those that somebody names are asked, and may stay silent.
  const bool named = program->loaded.origins.contains("kafka.brokers");
  settings.kafka.connect_timeout =
      std::min(settings.kafka.connect_timeout, std::chrono::milliseconds{2'000});
  return tracing.row(named);
}

}  // namespace

void add_trace(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("trace", "Show what a pipeline does with one record, stage by stage");
  auto options = std::make_shared<TraceOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  command->add_option("RECORD", options->records,
                      "TOPIC:PARTITION:OFFSET of records of the file's sources");
  command->add_option("--row", options->row, "a record's value, in place of one of a topic");
  command->add_option("--key", options->key, "with --row: the record's key; without, it has none");
  command->add_option("--header", options->headers,
                      "with --row: NAME=VALUE, a header of the record");
  command->add_option(
      "--columns", options->header,
      "with --row: the line that names the columns of a source with `header: true`");
  command->add_option("--source", options->source,
                      "with --row: the source, where the file has several");
  add_output_options(*command, options->output, {"human", "json"});
  add_profile_options(*command, options->profile, true);
  command->callback([options, &action] { action = [options] { return trace(*options); }; });
}

}  // namespace kaspar::cli
