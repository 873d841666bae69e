// What shows a run while it goes: the HTTP server, the listener for probes, the line on a terminal.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/issue.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {

class RunObservation {
 public:
  struct Setup {
    const Plan& plan;
    const RunSettings& settings;
    engine::Engine& engine;
    observe::Log& log;
    std::string brokers;        // that sources read from; empty: none
    bool tap = false;           // others may look at what records hold
    bool progress_line = true;  // standard output does not share the terminal
  };

  /// Listens where the settings say, before the engine is opened, so that probes are answered while
  /// it waits for brokers. All that is in the setup outlives it. A configured address that is taken
  /// is ExitStatus::Usage.
  [[nodiscard]] static std::expected<std::unique_ptr<RunObservation>, Failure> start(
      const Setup& setup);
  RunObservation(const RunObservation&) = delete;
  RunObservation& operator=(const RunObservation&) = delete;
  ~RunObservation();

 private:
  struct State;
  explicit RunObservation(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// What `tap` may be asked for by this name: a stream, or a source. Nothing where there is none.
[[nodiscard]] std::optional<engine::TapPoint> tap_point(const Plan& plan, std::string_view name);

/// The names that tap_point() knows.
[[nodiscard]] std::vector<std::string> tap_names(const Plan& plan);

}  // namespace kaspar::cli
