// Looks at a run once a second and answers those who ask for it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/core/event_log.hpp"
#include "runtime/observe/http_server.hpp"
#include "runtime/observe/liveness.hpp"
#include "runtime/observe/run_view.hpp"

namespace kaspar::observe {

/// Where a monitor gets what it shows. Any of its threads; they live as long as the monitor.
struct RunProbes {
  std::function<RunSnapshot()> look;
  /// May wait so long for brokers; `groups`: somebody looks at the members of groups.
  std::function<void(std::chrono::milliseconds within, bool groups)> look_around;
  /// Rows of a stream from now on, as JSON lines; nothing where there is no such stream.
  std::function<std::optional<HttpStream>(std::string_view stream)> tap;
};

/// Thread-safe.
class RunMonitor {
 public:
  /// The plan outlives it.
  RunMonitor(const Plan& plan, RunFacts facts, RunProbes probes);
  RunMonitor(const RunMonitor&) = delete;
  RunMonitor& operator=(const RunMonitor&) = delete;
  ~RunMonitor();

  /// Of the server of the page, metrics and status, which serves probes too.
  [[nodiscard]] HttpResponse serve(const HttpRequest& request);
  /// Of the listener that is for probes only.
  [[nodiscard]] HttpResponse serve_probe(const HttpRequest& request);

  /// As it is now, and its recent rates.
  [[nodiscard]] RunView view();

  /// Brokers are asked as if somebody looked all the time.
  void keep_looking();
  /// `seen` is called about once a second with what is seen, by the monitor's thread.
  void on_look(std::function<void(const RunView&)> seen);

 private:
  using Clock = std::chrono::steady_clock;
  struct Sample {
    Clock::time_point at;
    std::uint64_t read = 0;
    std::uint64_t written = 0;
    std::uint64_t failed = 0;
    LatencyCounts batches;
    LatencyCounts end_to_end;
  };

  void work();
  void watch_brokers();
  [[nodiscard]] RunView view_locked();
  [[nodiscard]] static Sample sample_of(const RunSnapshot& now, Clock::time_point at);
  [[nodiscard]] std::string status(bool whole);
  [[nodiscard]] HttpResponse events();
  [[nodiscard]] HttpResponse tap(const HttpRequest& request);
  void somebody_looks() noexcept;
  [[nodiscard]] bool wanted() const noexcept;

  const RunFacts facts_;
  const PipelineGraph graph_;
  const RunProbes probes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Under the mutex:
  bool ending_ = false;
  std::function<void(const RunView&)> seen_;
  Liveness liveness_;
  bool live_ = true;
  std::optional<RunView> last_;  // so that asking often costs little
  Clock::time_point last_at_;
  std::deque<Sample> samples_;
  Clock::time_point looked_at_;  // somebody asked for it
  bool always_ = false;

  std::thread thread_;
  std::thread broker_thread_;
};

}  // namespace kaspar::observe
