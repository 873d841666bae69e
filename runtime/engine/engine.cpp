#include "runtime/engine/engine.hpp"

#include <fmt/format.h>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>
#include <utility>

#include "runtime/core/memory_split.hpp"
#include "runtime/engine/available_cpus.hpp"
#include "runtime/engine/endpoint_groups.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/sink_edge.hpp"
#include "runtime/engine/source_driver.hpp"
#include "runtime/engine/stall_watch.hpp"
#include "runtime/engine/topology.hpp"

namespace kaspar::engine {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t most_batches = 64;
constexpr std::size_t most_payload = 512u << 10;

MemorySplit split_of(const Plan& plan, const RunSettings& settings) {
  return split_memory(settings.memory_budget, settings.model_memory,
                      plan.has_best_effort_branches());
}

}  // namespace

class Engine::Run {
 public:
  Run(const Plan& plan, const RunContext& context, Endpoints endpoints)
      : plan_(plan),
        context_(context),
        split_(split_of(plan, context.settings)),
        endpoints_(std::move(endpoints)),
        threads_(context.settings.threads != 0 ? context.settings.threads : available_cpus()),
        // The thread in wait_for_all counts as one of them.
        parallelism_(tbb::global_control::max_allowed_parallelism,
                     std::max<std::size_t>(threads_, 1)),
        arena_(static_cast<int>(threads_), 1) {}

  ~Run() {
    // Sinks go first: they may still tell their listeners.
    if (graph_thread_.joinable()) {
      state_->abandoned = true;
      state_->best_effort_abandoned = true;
      arena_.execute([this] {
        graph_->release_wait();
        if (best_effort_graph_) best_effort_graph_->release_wait();
      });
      graph_thread_.join();
    }
    for (auto& [index, port] : ports_) port->sink.reset();
    drivers_.clear();
    topology_.reset();
    arena_.execute([this] {
      graph_.reset();
      best_effort_graph_.reset();
    });
  }

  std::expected<void, Failure> open();
  RunReport run();
  [[nodiscard]] RunSnapshot snapshot() const;

  std::shared_ptr<Tap> tap(const TapPoint& point) {
    if (!opened() || point.chain >= topology_->chains().size()) return nullptr;
    ChainGraph& chain = *topology_->chains()[point.chain];
    auto tap = std::make_shared<Tap>(point, chain.plan());
    chain.taps().add(tap);
    // The chain holds it; whoever asked for it ends it.
    return {tap.get(), [&chain, tap](Tap* ended) { chain.taps().remove(ended); }};
  }

  void look_around(milliseconds within, bool groups) {
    if (!opened()) return;
    for (auto& driver : drivers_) {
      if (driver->observable() != nullptr) driver->observable()->look_around(within, groups);
    }
  }

  void request_stop() noexcept {
    stop_requested_ = true;
    const std::lock_guard lock(early_);
    if (state_) state_->stop();
  }

 private:
  std::expected<void, Failure> make_transactional();
  std::expected<void, Failure> make_sinks();
  std::expected<void, Failure> make_sources();
  void make_graphs();
  void add_driver(std::unique_ptr<Source> source, const std::set<std::size_t>& endpoints);
  void start_graphs();
  void drain();
  void finish_best_effort();
  template <class Which>
  void close_sinks(Which which);
  void wait_for_reading();
  [[nodiscard]] milliseconds remaining();
  [[nodiscard]] bool opened() const;
  [[nodiscard]] RunReport report();

  const Plan& plan_;
  const RunContext& context_;
  const MemorySplit split_;
  Endpoints endpoints_;
  std::vector<std::pair<std::unique_ptr<Source>, std::set<std::size_t>>> transactional_;
  std::size_t threads_;
  tbb::global_control parallelism_;
  tbb::task_arena arena_;
  std::unique_ptr<RunState> state_;
  std::unique_ptr<tbb::flow::graph> graph_;
  std::unique_ptr<tbb::flow::graph> best_effort_graph_;  // so that the end of the other is its own
  SinkPorts ports_;
  std::unique_ptr<Topology> topology_;
  std::vector<std::unique_ptr<SourceDriver>> drivers_;
  std::thread graph_thread_;
  mutable std::mutex early_;
  std::atomic<bool> stop_requested_{false};
};

// Sources and sinks of the same kind take part in transactions together. Whatever is of another
// kind was allowed there by the checker.
std::expected<void, Failure> Engine::Run::make_transactional() {
  std::set<std::size_t> sources = used_sources(plan_);
  std::set<std::size_t> sinks = used_sinks(plan_);
  for (const auto& [index, source] : endpoints_.sources) sources.erase(index);
  for (const auto& [index, sink] : endpoints_.sinks) sinks.erase(index);
  const EndpointGroups sink_groups = group(plan_.sinks, sinks);
  for (const auto& [node, calls] : group(plan_.sources, sources)) {
    if (node->make_transactional == nullptr) continue;
    const auto same = std::ranges::find(sink_groups, node->name,
                                        [](const auto& entry) { return entry.first->name; });
    std::span<const EndpointCall> sink_calls;
    if (same != sink_groups.end()) sink_calls = same->second;
    auto made = node->make_transactional(calls, sink_calls, context_);
    if (!made) return std::unexpected(std::move(made.error()));
    std::set<std::size_t> read;
    for (const EndpointCall& call : calls) read.insert(call.index);
    for (auto& source : made->sources) transactional_.emplace_back(std::move(source), read);
    for (std::size_t i = 0; i < sink_calls.size(); ++i) {
      endpoints_.sinks[sink_calls[i].index] = std::move(made->sinks[i]);
    }
  }
  return {};
}

std::expected<void, Failure> Engine::Run::make_sinks() {
  std::set<std::size_t> used = used_sinks(plan_);
  const auto add = [this](std::size_t index, std::unique_ptr<Sink> sink) {
    auto port = std::make_unique<SinkPort>();
    port->sink = std::move(sink);
    ports_[index] = std::move(port);
  };
  for (auto& [index, sink] : endpoints_.sinks) {
    if (used.erase(index) != 0) add(index, std::move(sink));
  }
  for (const auto& [node, calls] : group(plan_.sinks, used)) {
    auto made = node->make_sinks(calls, context_);
    if (!made) return std::unexpected(std::move(made.error()));
    for (std::size_t i = 0; i < calls.size(); ++i) add(calls[i].index, std::move((*made)[i]));
  }
  for (auto& [index, port] : ports_) {
    if (auto opened = port->sink->open(); !opened) return opened;
  }
  return {};
}

void Engine::Run::add_driver(std::unique_ptr<Source> source,
                             const std::set<std::size_t>& endpoints) {
  std::map<std::size_t, Lane*> lanes;
  for (const auto& [endpoint, lane] : topology_->lanes()) {
    if (endpoints.contains(endpoint)) lanes[endpoint] = lane.get();
  }
  const std::size_t payload = std::clamp<std::size_t>(split_.batches / 16, 16u << 10, most_payload);
  std::vector<Sink*> sinks;
  for (const auto& [index, port] : ports_) {
    if (!port->best_effort) sinks.push_back(port->sink.get());
  }
  drivers_.push_back(std::make_unique<SourceDriver>(*state_, std::move(source), std::move(lanes),
                                                    std::move(sinks), topology_->capacity(),
                                                    payload));
}

std::expected<void, Failure> Engine::Run::make_sources() {
  std::set<std::size_t> used;
  for (const auto& [endpoint, lane] : topology_->lanes()) used.insert(endpoint);
  for (auto& [source, endpoints] : transactional_) {
    for (const std::size_t endpoint : endpoints) used.erase(endpoint);
    add_driver(std::move(source), endpoints);
  }
  for (auto& [index, source] : endpoints_.sources) {
    if (used.erase(index) != 0) add_driver(std::move(source), {index});
  }
  for (const auto& [node, calls] : group(plan_.sources, used)) {
    auto made = node->make_sources(calls, context_);
    if (!made) return std::unexpected(std::move(made.error()));
    std::set<std::size_t> endpoints;
    for (const EndpointCall& call : calls) endpoints.insert(call.index);
    for (auto& source : *made) add_driver(std::move(source), endpoints);
  }
  for (auto& driver : drivers_) {
    if (auto opened = driver->source().open(); !opened) return opened;
  }
  return {};
}

void Engine::Run::make_graphs() {
  const bool queues = !topology_->queues().empty();
  graph_ = std::make_unique<tbb::flow::graph>();
  if (queues) best_effort_graph_ = std::make_unique<tbb::flow::graph>();
  for (std::size_t i = 0; i < topology_->chains().size(); ++i) {
    if (topology_->detached(i)) {
      topology_->chains()[i]->build(*best_effort_graph_, tbb::flow::no_priority);
    } else {
      topology_->chains()[i]->build(*graph_, queues ? 1 : tbb::flow::no_priority);
    }
  }
}

std::expected<void, Failure> Engine::Run::open() {
  {
    const std::lock_guard lock(early_);
    state_ = std::make_unique<RunState>(context_, most_batches, split_.batches);
    if (stop_requested_) state_->stop();
  }
  if (plan_.guarantee == Guarantee::ExactlyOnce) {
    if (auto made = make_transactional(); !made) return made;
  }
  if (auto made = make_sinks(); !made) return made;
  topology_ = std::make_unique<Topology>(plan_, *state_, ports_, threads_, split_.best_effort);
  arena_.execute([this] { make_graphs(); });
  if (auto made = make_sources(); !made) return made;
  state_->opened = true;
  return {};
}

// One thread of the arena is our own: with one CPU it is the only one.
void Engine::Run::start_graphs() {
  arena_.execute([this] {
    graph_->reserve_wait();
    if (best_effort_graph_) best_effort_graph_->reserve_wait();
  });
  graph_thread_ = std::thread([this] {
    const auto done = [this](bool RunState::* flag) {
      const std::lock_guard lock(state_->mutex);
      (*state_).*flag = true;
      state_->changed.notify_all();
    };
    arena_.execute([this] { graph_->wait_for_all(); });
    done(&RunState::graph_done);
    if (best_effort_graph_) arena_.execute([this] { best_effort_graph_->wait_for_all(); });
    done(&RunState::best_effort_done);
  });
}

RunReport Engine::Run::run() {
  context_.log.write(LogLevel::Info, "run_started", "the pipeline runs",
                     {{"file", plan_.file}, {"threads", std::to_string(threads_)}});
  start_graphs();
  state_->reading = drivers_.size();
  for (auto& driver : drivers_) driver->start();
  wait_for_reading();
  context_.log.write(LogLevel::Info, "run_draining", "no more records are read");
  drain();
  close_sinks([](const SinkPort& port) { return !port.best_effort; });
  // Best-effort sinks that sources wait for are closed like the others, which ends them for queues.
  const bool awaited = std::ranges::any_of(ports_, [](const auto& entry) {
    return entry.second->best_effort && !entry.second->queued_only;
  });
  if (awaited) finish_best_effort();
  {
    // A sink may tell its listeners a little after it closed, from a thread of its own.
    std::unique_lock lock(state_->mutex);
    state_->changed.wait_for(lock, milliseconds{200}, [this] { return state_->flights == 0; });
  }
  state_->closing = true;  // what is acknowledged is committed while best-effort branches go on
  if (!awaited) finish_best_effort();
  graph_thread_.join();
  for (auto& driver : drivers_) driver->join();
  RunReport result = report();
  context_.log.write(result.status == ExitStatus::Fine ? LogLevel::Info : LogLevel::Error,
                     "run_finished",
                     result.failure ? std::string_view{result.failure->message}
                                    : std::string_view{"every record read was acknowledged"},
                     {{"records_read", std::to_string(result.records_read)},
                      {"records_written", std::to_string(result.records_written)},
                      {"dead_letters", std::to_string(result.dead_letters)},
                      {"dropped", std::to_string(result.dropped)},
                      {"best_effort_failed", std::to_string(result.best_effort_failed)},
                      {"best_effort_dropped", std::to_string(result.best_effort_dropped)}});
  return result;
}

// Until all that is to be read has been.
void Engine::Run::wait_for_reading() {
  StallWatch watch(context_.settings.stall_warning, Clock::now());
  std::unique_lock lock(state_->mutex);
  const auto done = [this] { return state_->reading == 0; };
  while (!state_->changed.wait_for(lock, watch.period(), done)) {
    const std::size_t waiting = state_->flights;
    const auto news = watch.look(Clock::now(), waiting, state_->finished);
    if (!news) continue;
    lock.unlock();
    state_->stalled = news->stalled;
    context_.log.write(news->stalled ? LogLevel::Warning : LogLevel::Info,
                       news->stalled ? "run_stalled" : "run_resumed",
                       news->stalled ? "nothing of what was read is acknowledged any more"
                                     : "what was read is acknowledged again",
                       {{"seconds", std::to_string(news->lasted / std::chrono::seconds{1})},
                        {"batches", std::to_string(waiting)}});
    lock.lock();
  }
}

milliseconds Engine::Run::remaining() {
  const milliseconds deadline = context_.settings.shutdown_deadline;
  const std::lock_guard lock(state_->mutex);
  if (!state_->stopped_at) return deadline;
  const auto spent = std::chrono::duration_cast<milliseconds>(Clock::now() - *state_->stopped_at);
  return std::max(milliseconds{0}, deadline - spent);
}

// Lets the graph finish what was read: it only computes, so without a request to stop it takes
// the time it takes.
void Engine::Run::drain() {
  arena_.execute([this] { graph_->release_wait(); });
  std::unique_lock lock(state_->mutex);
  const auto done = [this] { return state_->graph_done; };
  state_->changed.wait(lock, [&] { return done() || state_->stopped_at; });
  if (!done()) {
    const auto deadline = *state_->stopped_at + context_.settings.shutdown_deadline;
    if (!state_->changed.wait_until(lock, deadline, done)) {
      state_->abandoned = true;
      state_->changed.wait(lock, done);  // for the bodies at work, which skip the rest
    }
  }
}

// Lets best-effort branches finish what they took, for a while; what is left then is dropped.
void Engine::Run::finish_best_effort() {
  if (best_effort_graph_) {
    const auto within = std::min(remaining(), context_.settings.best_effort_grace);
    {
      std::unique_lock lock(state_->mutex);
      state_->changed.wait_for(lock, within, [this] { return state_->detached == 0; });
      state_->best_effort_abandoned = state_->detached != 0;
    }
    for (const auto& queue : topology_->queues()) queue->close();
    arena_.execute([this] { best_effort_graph_->release_wait(); });
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return state_->best_effort_done; });
  }
  close_sinks([](const SinkPort& port) { return port.best_effort; });
}

template <class Which>
void Engine::Run::close_sinks(Which which) {
  for (auto& [index, port] : ports_) {
    if (!which(*port)) continue;
    auto within = std::max(milliseconds{100}, remaining());
    if (port->best_effort) within = std::min(within, context_.settings.best_effort_grace);
    auto closed = port->sink->close(within);
    if (closed) continue;
    if (port->best_effort) {
      context_.log.write(LogLevel::Warning, "best_effort_failed", closed.error().message);
    } else {
      state_->fail(std::move(closed.error()));
    }
  }
}

RunReport Engine::Run::report() {
  RunReport report;
  report.records_read = state_->records_read;
  report.dead_letters = state_->dead_letters;
  report.dropped = state_->dropped;
  for (std::size_t i = 0; i < diagnostic_codes; ++i) {
    if (const std::uint64_t count = state_->errors[i]; count != 0) {
      report.errors[static_cast<DiagnosticCode>(i)] = count;
    }
  }
  for (const auto& chain : topology_->chains()) {
    const ChainCount& count = report.chains.emplace_back(chain->counts());
    report.records_written += count.records_written;
    report.best_effort_failed += count.best_effort_failed;
    report.best_effort_dropped += count.best_effort_dropped;
  }
  report.batches_held = state_->credits.batches_in_flight();
  report.bytes_held = state_->credits.bytes_in_flight();
  const std::lock_guard lock(state_->mutex);
  report.drained = state_->flights == 0 && !state_->lost;
  report.failure = state_->failure;
  if (!report.failure && !report.drained) {
    report.failure = Failure{.status = ExitStatus::Failed,
                             .message = fmt::format("not everything was delivered within {} ms",
                                                    context_.settings.shutdown_deadline.count()),
                             .help = "what was not acknowledged is read again by the next run"};
  }
  if (report.failure) report.status = report.failure->status;
  return report;
}

bool Engine::Run::opened() const {
  const std::lock_guard lock(early_);
  return state_ && state_->opened;
}

RunSnapshot Engine::Run::snapshot() const {
  RunSnapshot now{
      .threads = threads_, .memory_budget = context_.settings.memory_budget, .memory = split_};
  now.records_read.resize(plan_.sources.size());
  now.sinks.resize(plan_.sinks.size());
  if (!opened()) {
    now.chains.resize(plan_.chains.size());
    for (std::size_t i = 0; i < now.chains.size(); ++i) {
      now.chains[i].stages.resize(plan_.chains[i].stages.size());
    }
    return now;
  }
  RunState& state = *state_;
  now.opened = true;
  now.draining = state.stopping || state.closing;
  now.stalled = state.stalled;
  for (const auto& [endpoint, lane] : topology_->lanes()) {
    now.records_read[endpoint] = lane->records_read;
  }
  for (const auto& chain : topology_->chains()) {
    const std::uint64_t ended = chain->ended();  // before what began
    now.computed += ended;
    now.computing += chain->begun() - ended;
    now.chains.push_back(chain->snapshot());
  }
  for (const auto& [index, port] : ports_) {
    now.sinks[index] = {.records = port->records,
                        .dead_letters = port->dead_letters,
                        .unconfirmed = port->unconfirmed};
  }
  for (const auto& driver : drivers_) {
    SourceSnapshot& source = now.sources.emplace_back();
    if (driver->observable() != nullptr) driver->observable()->describe(source);
    now.driver_idle = std::max(now.driver_idle, driver->idle());
  }
  for (std::size_t i = 0; i < diagnostic_codes; ++i) now.errors[i] = state.errors[i];
  now.dead_letters = state.dead_letters;
  now.dropped = state.dropped;
  now.batches = state.batch_times.counts();
  now.end_to_end = state.end_to_end_times.counts();
  now.recent = state.recent_errors.rows();
  now.bytes_in_flight = state.credits.bytes_in_flight();
  const std::lock_guard lock(state.mutex);
  now.batches_in_flight = state.flights;  // credits count what a reader has reserved, too
  return now;
}

Engine::Engine(const Plan& plan, const RunContext& context, Endpoints endpoints)
    : run_(std::make_unique<Run>(plan, context, std::move(endpoints))) {}
Engine::~Engine() = default;

std::expected<void, Failure> Engine::open() { return run_->open(); }
RunReport Engine::run() { return run_->run(); }
void Engine::request_stop() noexcept { run_->request_stop(); }
std::shared_ptr<Tap> Engine::tap(const TapPoint& point) { return run_->tap(point); }
RunSnapshot Engine::snapshot() const { return run_->snapshot(); }
void Engine::look_around(milliseconds within, bool groups) { run_->look_around(within, groups); }

}  // namespace kaspar::engine
