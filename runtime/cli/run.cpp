// kaspar run: runs a pipeline until a signal, or until what it reads ends.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/kafka/embedded_broker.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/endpoint_argument.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/feed.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/run_observation.hpp"
#include "runtime/cli/setting_list.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/cli/topic_printer.hpp"
#include "runtime/engine/available_cpus.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {
namespace {

struct RunOptions {
  std::string file;
  ProfileOptions profile;
  std::vector<std::string> sources;
  std::vector<std::string> sinks;
  std::vector<std::string> feeds;
  std::optional<std::uint64_t> limit;
  bool embedded = false;
  bool until_end = false;
  bool no_fuse = false;
};

constexpr int embedded_partitions = 3;
/// How long a transaction is open where the profile says nothing: nobody sees results before.
constexpr std::chrono::milliseconds transaction_interval{100};

/// Beyond the deadline by which all must be delivered: groups are left, clients closed.
constexpr std::chrono::milliseconds time_to_leave{5'000};

bool on_kafka(const EndpointPlan& endpoint) { return endpoint.node->name == "kafka"; }

Failure wrong_usage(std::string message) {
  return {.status = ExitStatus::Usage, .message = std::move(message)};
}

std::expected<dsl::CompileOptions, Failure> compile_options(const RunOptions& options) {
  dsl::CompileOptions compile{.fuse = !options.no_fuse};
  const auto add = [](NodeRole role, const std::vector<std::string>& texts,
                      auto& replacements) -> std::expected<void, Failure> {
    for (const std::string& text : texts) {
      auto parsed = parse_endpoint_argument(role, text);
      if (!parsed) return std::unexpected(wrong_usage(parsed.error()));
      if (!replacements.try_emplace(parsed->name, parsed->kind, parsed->params).second) {
        return std::unexpected(wrong_usage(fmt::format("`{}` is replaced twice", parsed->name)));
      }
    }
    return {};
  };
  if (auto added = add(NodeRole::Source, options.sources, compile.sources); !added) {
    return std::unexpected(std::move(added.error()));
  }
  if (auto added = add(NodeRole::Sink, options.sinks, compile.sinks); !added) {
    return std::unexpected(std::move(added.error()));
  }
  return compile;
}

/// Opening a sink empties its file: not what a source is about to read, and not where a source's
/// file is missing.
std::expected<void, Failure> check_files(const Plan& plan) {
  const auto path_of = [](const EndpointPlan& endpoint) {
    return endpoint.node->name == "file" ? string_param(endpoint.params, "path") : std::string{};
  };
  for (const ChainPlan& chain : plan.chains) {
    for (const ChainInput& input : chain.inputs) {
      const std::string path = input.source ? path_of(plan.sources[*input.source]) : std::string{};
      if (path.empty() || ::access(path.c_str(), R_OK) == 0) continue;
      return std::unexpected(
          wrong_usage(fmt::format("cannot open the file `{}`: {}", path, std::strerror(errno))));
    }
  }
  for (const EndpointPlan& sink : plan.sinks) {
    for (const EndpointPlan& source : plan.sources) {
      std::error_code none;  // a file that is not there is not read
      const std::string path = path_of(sink);
      if (path.empty() || !std::filesystem::is_regular_file(path, none) ||
          !std::filesystem::equivalent(path, path_of(source), none)) {
        continue;
      }
      Failure failure =
          wrong_usage(fmt::format("the sink `{}` writes the file `{}`, which the source `{}` reads",
                                  sink.name, path, source.name));
      failure.help = "give the sink a file of its own";
      return std::unexpected(std::move(failure));
    }
  }
  return {};
}

std::expected<std::vector<FedTopic>, Failure> fed_topics(const RunOptions& options,
                                                         const Plan& plan) {
  std::vector<FedTopic> topics;
  for (const std::string& text : options.feeds) {
    auto feed = parse_feed_argument(text);
    if (!feed) return std::unexpected(wrong_usage(feed.error()));
    const auto source = std::ranges::find(plan.sources, feed->source, &EndpointPlan::name);
    if (source == plan.sources.end()) {
      return std::unexpected(
          wrong_usage(fmt::format("--feed {}: the file has no source `{}`", text, feed->source)));
    }
    if (!on_kafka(*source)) {
      return std::unexpected(wrong_usage(
          fmt::format("--feed {}: the source `{}` is no Kafka topic", text, feed->source)));
    }
    topics.push_back({.path = feed->path,
                      .topic = string_param(source->params, "topic"),
                      .group = string_param(source->params, "group")});
  }
  return topics;
}

std::expected<nodes::kafka::EmbeddedBroker, Failure> start_broker(const Plan& plan) {
  auto broker = nodes::kafka::EmbeddedBroker::start();
  if (!broker) return broker;
  std::map<std::string, int> topics;
  for (const auto* endpoints : {&plan.sources, &plan.sinks}) {
    for (const EndpointPlan& endpoint : *endpoints) {
      if (on_kafka(endpoint)) topics[string_param(endpoint.params, "topic")] = embedded_partitions;
    }
  }
  for (const auto& [topic, partitions] : topics) {
    if (auto created = broker->create_topic(topic, partitions); !created) {
      return std::unexpected(std::move(created.error()));
    }
  }
  return broker;
}

std::vector<std::string> written_topics(const Plan& plan) {
  std::vector<std::string> topics;
  for (const EndpointPlan& sink : plan.sinks) {
    const std::string topic = string_param(sink.params, "topic");
    if (on_kafka(sink) && std::ranges::find(topics, topic) == topics.end()) topics.push_back(topic);
  }
  return topics;
}

/// Whether records go to standard output.
bool writes_stdout(const Plan& plan) {
  return std::ranges::any_of(plan.sinks,
                             [](const EndpointPlan& sink) { return sink.node->name == "stdout"; });
}

/// Hands a request to stop, which may come at any time, to the engine once there is one.
class StopRequest {
 public:
  void request() {
    const std::lock_guard lock(mutex_);
    requested_ = true;
    if (engine_ != nullptr) engine_->request_stop();
  }
  void attach(engine::Engine* engine) {
    const std::lock_guard lock(mutex_);
    engine_ = engine;
    if (engine_ != nullptr && requested_) engine_->request_stop();
  }

 private:
  std::mutex mutex_;
  engine::Engine* engine_ = nullptr;
  bool requested_ = false;
};

ExitStatus run_plan(const RunOptions& options, LoadedSettings loaded, const Plan& plan,
                    std::vector<FedTopic> fed, StopRequest& stop) {
  RunSettings& settings = loaded.settings;
  const std::unique_ptr<observe::Log> log =
      observe::make_event_log(LogLevel::Info, observe::LogFormat::Automatic,
                              std::filesystem::path(plan.file).stem().string());
  settings.record_limit = options.limit;
  settings.fuse = !options.no_fuse;
  settings.until_end = options.until_end;
  settings.model_memory =
      plan.model_memory(settings.threads != 0 ? settings.threads : engine::available_cpus());
  if (settings.model_memory > settings.memory_budget / 4 * 3) {
    log->write(LogLevel::Warning, "models_take_memory",
               "models leave little of the memory budget to records",
               {{"models", size_text(settings.model_memory)},
                {"memory_budget", size_text(settings.memory_budget)}});
  }

  std::optional<nodes::kafka::EmbeddedBroker> broker;
  TopicPrinter printer;
  bool printing = false;
  if (options.embedded) {
    auto started = start_broker(plan);
    if (!started) return tell(started.error());
    broker.emplace(std::move(*started));
    settings.kafka = {.brokers = broker->address()};  // it knows of no security
    for (const auto* endpoints : {&plan.sources, &plan.sinks}) {
      for (const EndpointPlan& endpoint : *endpoints) {
        settings.clusters[string_param(endpoint.params, "cluster")] = settings.kafka;
      }
    }
    settings.commit_interval = std::chrono::milliseconds{50};  // the feed waits for commits
    log->write(LogLevel::Info, "embedded_broker", "an in-process Kafka broker serves this run",
               {{"address", broker->address()}});
    if (const auto topics = written_topics(plan); !topics.empty()) {
      if (auto begun = printer.start(settings.kafka, topics, *log); !begun) {
        return tell(begun.error());
      }
      printing = true;
    }
  }
  Feed::Pace pace{.paced = options.embedded};
  if (printing) {
    pace.wait_until_drained = [&printer](const auto& stopped) {
      printer.wait_until_drained(stopped);
    };
  }
  Feed feed(std::move(fed), std::move(pace), *log);
  if (auto readable = feed.check_files(); !readable) return tell(readable.error());
  if (feed.feeding()) settings.feeding = &feed.feeding();

  // All Kafka sources are on one cluster.
  const auto source = std::ranges::find_if(plan.sources, on_kafka);
  const KafkaSettings* cluster = source == plan.sources.end()
                                     ? nullptr
                                     : settings.cluster(string_param(source->params, "cluster"));
  const KafkaSettings& read_from = cluster != nullptr ? *cluster : settings.kafka;

  const RunContext context{.settings = settings, .log = *log};
  engine::Engine engine(plan, context);
  const bool shared = ::isatty(STDOUT_FILENO) != 0 && (printing || writes_stdout(plan));
  auto observation = RunObservation::start(
      {.plan = plan,
       .settings = settings,
       .engine = engine,
       .log = *log,
       .brokers = source == plan.sources.end() ? std::string{} : read_from.brokers,
       .tap = loaded.tap,
       .progress_line = !shared});
  if (!observation) return tell(observation.error());
  if (auto opened = engine.open(); !opened) return tell(opened.error());
  stop.attach(&engine);
  feed.start(read_from, [&stop] { stop.request(); });
  const engine::RunReport report = engine.run();
  stop.attach(nullptr);
  feed.stop();
  observation->reset();  // the last words are not the progress line

  ExitStatus status = report.status;
  if (report.failure) {
    tell(*report.failure);
  } else if (feed.failure()) {
    status = tell(*feed.failure());
  }
  if (printing) {
    if (auto printed = printer.finish(); !printed && status == ExitStatus::Fine) {
      status = tell(printed.error());
    }
  }
  return status;
}

ExitStatus run(const RunOptions& options) {
  StopRequest stop;
  // Before any other thread starts, for those inherit its mask.
  SignalWatch signals{[&stop] { stop.request(); }};
  NodeRegistry registry;
  nodes::register_all(registry);
  auto compile = compile_options(options);
  if (!compile) return tell(compile.error());
  auto program = compile_configured(options.file, registry, std::move(*compile), options.profile);
  if (!program) return tell(program.error());
  const dsl::Compiled& compiled = program->compiled;
  if (compiled.unreadable) return tell(wrong_usage(*compiled.unreadable));
  fmt::print(stderr, "{}",
             dsl::render_human(compiled.diagnostics, OutputOptions{}.coloured(STDERR_FILENO)));
  if (compiled.diagnostics.has_errors()) return ExitStatus::Problems;
  if (compiled.replacement) return tell(wrong_usage(*compiled.replacement));
  if (compiled.plan->guarantee == Guarantee::ExactlyOnce &&
      !program->loaded.origins.contains("run.commit_interval")) {
    program->loaded.settings.commit_interval = transaction_interval;
  }
  signals.end_within(program->loaded.settings.shutdown_deadline + time_to_leave);
  if (auto fine = check_files(*compiled.plan); !fine) return tell(fine.error());
  auto fed = fed_topics(options, *compiled.plan);
  if (!fed) return tell(fed.error());
  return run_plan(options, std::move(program->loaded), *compiled.plan, std::move(*fed), stop);
}

}  // namespace

void add_run(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("run", "Run a pipeline");
  auto options = std::make_shared<RunOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  CLI::Option* brokers = add_profile_options(*command, options->profile, true);
  command
      ->add_flag_callback(
          "--embedded", [options] { options->embedded = options->profile.any_cluster = true; },
          "start an in-process Kafka broker, and print what the Kafka sinks wrote")
      ->excludes(brokers);
  command->add_option("--source", options->sources,
                      "NAME=file:PATH or NAME=stdin replaces a source");
  command->add_option("--sink", options->sinks, "NAME=file:PATH or NAME=stdout replaces a sink");
  command->add_option("--feed", options->feeds,
                      "NAME=PATH writes a file's lines to a source's topic");
  command->add_option("--limit", options->limit, "stop after so many records");
  command->add_flag("--until-end", options->until_end, "stop once every source is read to its end");
  command->add_flag("--no-fuse", options->no_fuse, "make each stage a graph node of its own");
  command->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace kaspar::cli
