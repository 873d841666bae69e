#include "runtime/cli/run_observation.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include "nodes/kafka/client_version.hpp"
#include "runtime/observe/http_server.hpp"
#include "runtime/observe/pipeline_graph.hpp"
#include "runtime/observe/progress_line.hpp"
#include "runtime/observe/run_monitor.hpp"

namespace kaspar::cli {
namespace {

using namespace std::chrono_literals;

constexpr auto tap_interval = 200ms;
constexpr std::size_t narrowest = 40;

/// As it is now: the run goes on with what `check` read.
std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

observe::RunFacts facts_of(const RunObservation::Setup& setup) {
  return {.name = std::filesystem::path(setup.plan.file).stem().string(),
          .file = setup.plan.file,
          .text = text_of(setup.plan.file),
          .version = KASPAR_VERSION,
          .libraries = "librdkafka " + nodes::kafka::librdkafka_version(),
          .instance = setup.settings.instance,
          .brokers = setup.brokers,
          .tap = setup.tap};
}

std::size_t terminal_columns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return std::max<std::size_t>(narrowest, size.ws_col) - 1;
}

std::optional<observe::HttpStream> open_tap(const Plan& plan, engine::Engine& engine,
                                            std::string_view name) {
  const auto point = tap_point(plan, name);
  if (!point) return std::nullopt;
  std::shared_ptr<engine::Tap> tap = engine.tap(*point);
  if (!tap) return std::nullopt;
  return observe::HttpStream{
      .interval = tap_interval,
      .next = [tap = std::move(tap)]() -> std::optional<std::string> { return tap->take(); }};
}

}  // namespace

std::optional<engine::TapPoint> tap_point(const Plan& plan, std::string_view name) {
  for (std::size_t i = 0; i < plan.chains.size(); ++i) {
    const ChainPlan& chain = plan.chains[i];
    if (!chain.name.empty() && chain.name == name) return engine::TapPoint{.chain = i};
    for (const ChainInput& input : chain.inputs) {
      if (input.source) {
        if (plan.sources[*input.source].name == name) {
          return engine::TapPoint{.chain = i, .of_source = true};
        }
      } else if (input.arm && observe::arm_stream(plan.chains[input.chain], *input.arm) == name) {
        return engine::TapPoint{.chain = input.chain, .arm = input.arm};
      }
    }
  }
  return std::nullopt;
}

std::vector<std::string> tap_names(const Plan& plan) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (!name.empty() && std::ranges::find(names, name) == names.end()) {
      names.push_back(std::move(name));
    }
  };
  for (const ChainPlan& chain : plan.chains) {
    for (const ChainInput& input : chain.inputs) {
      if (input.source) add(plan.sources[*input.source].name);
      if (input.arm) add(observe::arm_stream(plan.chains[input.chain], *input.arm));
    }
    add(chain.name);
  }
  return names;
}

struct RunObservation::State {
  observe::Log& log;
  std::unique_ptr<observe::RunMonitor> monitor;
  std::unique_ptr<observe::HttpServer> server;
  std::unique_ptr<observe::HttpServer> probes;
};

RunObservation::RunObservation(std::unique_ptr<State> state) : state_(std::move(state)) {}

RunObservation::~RunObservation() {
  state_->probes.reset();
  state_->server.reset();
  state_->monitor.reset();
  state_->log.show_progress({});
}

std::expected<std::unique_ptr<RunObservation>, Failure> RunObservation::start(const Setup& setup) {
  auto state = std::make_unique<State>(State{.log = setup.log});
  const HttpSettings& http = setup.settings.http;
  state->monitor = std::make_unique<observe::RunMonitor>(
      setup.plan, facts_of(setup),
      observe::RunProbes{
          .look = [&engine = setup.engine] { return engine.snapshot(); },
          .look_around = [&engine = setup.engine](
                             std::chrono::milliseconds within,
                             bool groups) { engine.look_around(within, groups); },
          .tap = [&plan = setup.plan, &engine = setup.engine](
                     std::string_view name) { return open_tap(plan, engine, name); }});
  observe::RunMonitor& monitor = *state->monitor;
  const bool line = setup.progress_line && setup.log.shows_progress();
  if (line) monitor.keep_looking();
  monitor.on_look([&log = setup.log, line](const observe::RunView& view) {
    log.tell_repeated();
    if (line) log.show_progress(observe::progress_line(view, terminal_columns()));
  });
  if (!http.enabled) return std::unique_ptr<RunObservation>{new RunObservation(std::move(state))};
  auto server = observe::HttpServer::listen(
      http.listen, !http.listen_given,
      [&monitor](const observe::HttpRequest& request) { return monitor.serve(request); });
  if (!server) return std::unexpected(std::move(server.error()));
  state->server = std::move(*server);
  setup.log.write(LogLevel::Info, "http_listening", "the status page is served",
                  {{"address", fmt::format("http://{}/", state->server->address())}});
  if (!http.probes.empty()) {
    auto probes = observe::HttpServer::listen(
        http.probes, false,
        [&monitor](const observe::HttpRequest& request) { return monitor.serve_probe(request); });
    if (!probes) return std::unexpected(std::move(probes.error()));
    state->probes = std::move(*probes);
    setup.log.write(LogLevel::Info, "probes_listening", "probes are answered",
                    {{"address", fmt::format("http://{}/", state->probes->address())}});
  }
  return std::unique_ptr<RunObservation>{new RunObservation(std::move(state))};
}

}  // namespace kaspar::cli
