#include "runtime/observe/run_monitor.hpp"

#include <pthread.h>

#include <algorithm>

#include "runtime/observe/metrics.hpp"
#include "runtime/observe/status_json.hpp"
#include "runtime/observe/status_page.hpp"

namespace kaspar::observe {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_interval{1'000};
constexpr milliseconds fresh{200};
constexpr std::size_t most_samples = 11;  // the rates of ten seconds
/// Brokers are asked while somebody looks, and a while longer.
constexpr milliseconds ask_interval{5'000};
constexpr milliseconds ask_time{3'000};
constexpr milliseconds interest{60'000};
/// Longer than any wait for brokers in the thread that reads: a hand-over takes 15 s at most.
constexpr milliseconds patience{120'000};

constexpr std::string_view json_type = "application/json; charset=utf-8";

HttpResponse answer(bool yes, std::string_view good, std::string_view bad) {
  return {.status = yes ? 200u : 503u, .body = std::string{yes ? good : bad} + "\n"};
}

bool is_ready(const RunSnapshot& now) {
  return now.opened && !now.draining && std::ranges::all_of(now.sources, &SourceSnapshot::assigned);
}

double per_second(std::uint64_t now, std::uint64_t before, double seconds) {
  return seconds <= 0 || now < before ? 0 : static_cast<double>(now - before) / seconds;
}

}  // namespace

RunMonitor::RunMonitor(const Plan& plan, RunFacts facts, RunProbes probes)
    : facts_(std::move(facts)),
      graph_(plan),
      probes_(std::move(probes)),
      liveness_(patience, Clock::now()),
      looked_at_(Clock::now() - interest) {
  thread_ = std::thread([this] { work(); });
  broker_thread_ = std::thread([this] { watch_brokers(); });
  pthread_setname_np(thread_.native_handle(), "kaspar-monitor");
  pthread_setname_np(broker_thread_.native_handle(), "kaspar-brokers");
}

RunMonitor::~RunMonitor() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
  broker_thread_.join();
}

void RunMonitor::on_look(std::function<void(const RunView&)> seen) {
  const std::lock_guard lock(mutex_);
  seen_ = std::move(seen);
}

RunMonitor::Sample RunMonitor::sample_of(const RunSnapshot& now, Clock::time_point at) {
  return {.at = at,
          .read = total_read(now),
          .written = total_written(now),
          .failed = total_failed(now),
          .batches = now.batches,
          .end_to_end = now.end_to_end};
}

RunView RunMonitor::view_locked() {
  const auto at = Clock::now();
  if (last_ && at - last_at_ < fresh) return *last_;
  RunView view{.facts = &facts_,
               .graph = &graph_,
               .now = probes_.look(),
               .process = process_usage(),
               .time = std::chrono::system_clock::now()};
  view.live = live_ = liveness_.look(view.now, at);
  view.ready = is_ready(view.now);
  if (!samples_.empty()) {
    const Sample& before = samples_.front();
    const Sample now = sample_of(view.now, at);
    const double seconds = std::chrono::duration<double>(at - before.at).count();
    view.recent = {.seconds = seconds,
                   .read = per_second(now.read, before.read, seconds),
                   .written = per_second(now.written, before.written, seconds),
                   .failed = per_second(now.failed, before.failed, seconds),
                   .batches = now.batches.since(before.batches),
                   .end_to_end = now.end_to_end.since(before.end_to_end)};
  }
  last_ = view;
  last_at_ = at;
  return view;
}

RunView RunMonitor::view() {
  const std::lock_guard lock(mutex_);
  return view_locked();
}

void RunMonitor::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    last_.reset();
    const RunView view = view_locked();
    if (seen_) seen_(view);
    samples_.push_back(sample_of(view.now, last_at_));
    if (samples_.size() > most_samples) samples_.pop_front();
    changed_.wait_for(lock, look_interval, [this] { return ending_; });
  }
}

void RunMonitor::somebody_looks() noexcept {
  const std::lock_guard lock(mutex_);
  const bool first = Clock::now() - looked_at_ >= interest;
  looked_at_ = Clock::now();
  if (first) changed_.notify_all();
}

void RunMonitor::keep_looking() {
  const std::lock_guard lock(mutex_);
  always_ = true;
  changed_.notify_all();
}

bool RunMonitor::wanted() const noexcept { return always_ || Clock::now() - looked_at_ < interest; }

// A thread of its own, for brokers may keep it waiting.
void RunMonitor::watch_brokers() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (wanted()) {
      lock.unlock();
      probes_.look_around(ask_time, true);
      lock.lock();
      changed_.wait_for(lock, ask_interval, [this] { return ending_; });
    } else {
      changed_.wait(lock, [this] { return ending_ || wanted(); });
    }
  }
}

std::string RunMonitor::status(bool whole) { return status_json(view(), whole); }

HttpResponse RunMonitor::serve_probe(const HttpRequest& request) {
  if (request.path == "/healthz") {
    const std::lock_guard lock(mutex_);
    const RunView view = view_locked();
    return answer(view.live, "live", "nothing of what is computed comes to an end");
  }
  if (request.path == "/readyz") {
    const RunView now = view();
    return answer(now.ready, "ready",
                  now.now.draining ? "it drains, and ends then"
                  : now.now.opened ? "no partitions were assigned yet"
                                   : "sources and sinks are not open yet");
  }
  if (request.path == "/startupz") return answer(view().now.opened, "started", "it starts");
  return {.status = 404, .body = "here are /healthz, /readyz and /startupz\n"};
}

HttpResponse RunMonitor::serve(const HttpRequest& request) {
  if (request.path == "/") {
    somebody_looks();
    return status_page();
  }
  if (request.path == "/metrics") {
    somebody_looks();
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .body = metrics_text(view())};
  }
  if (request.path == "/api/status") {
    somebody_looks();
    return {.content_type = std::string{json_type}, .body = status(true) + "\n"};
  }
  if (request.path == "/api/events") return events();
  if (request.path == "/api/tap") return tap(request);
  if (HttpResponse probe = serve_probe(request); probe.status != 404) return probe;
  return {.status = 404, .body = "here are /, /metrics, /api/status and /api/events\n"};
}

HttpResponse RunMonitor::events() {
  HttpStream stream{.interval = look_interval, .next = [this]() -> std::optional<std::string> {
                      somebody_looks();
                      return "data: " + status(false) + "\n\n";
                    }};
  return {.content_type = "text/event-stream", .stream = std::move(stream)};
}

HttpResponse RunMonitor::tap(const HttpRequest& request) {
  if (!facts_.tap) {
    return {.status = 403,
            .body =
                "a tap shows what records hold: say `tap = true` below `[http]` "
                "in the profile\n"};
  }
  if (!view().now.opened) {
    return {.status = 503, .body = "it starts\n", .headers = {{"Retry-After", "1"}}};
  }
  auto stream = probes_.tap(request.parameter("stream"));
  if (!stream) return {.status = 404, .body = "there is no such stream\n"};
  return {.content_type = "application/x-ndjson", .stream = std::move(stream)};
}

}  // namespace kaspar::observe
