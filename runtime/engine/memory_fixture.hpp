// A plan, its endpoints in memory, and one run of it, for the engine's tests.
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/engine.hpp"
#include "runtime/engine/memory_endpoints.hpp"

namespace kaspar::engine::test {

/// Batches of 1, 2, 3, 1 … records, valued by their offset.
inline std::vector<std::vector<std::string>> numbered(std::size_t batches) {
  std::vector<std::vector<std::string>> out;
  std::size_t next = 0;
  for (std::size_t i = 0; i < batches; ++i) {
    auto& batch = out.emplace_back();
    for (std::size_t n = 0; n <= i % 3; ++n) batch.push_back(std::to_string(next++));
  }
  return out;
}

inline std::vector<std::string> flattened(const std::vector<std::vector<std::string>>& batches) {
  std::vector<std::string> out;
  for (const auto& batch : batches) out.insert(out.end(), batch.begin(), batch.end());
  return out;
}

inline std::vector<std::string> values(const std::vector<Written>& written) {
  std::vector<std::string> out;
  for (const Written& record : written) out.push_back(record.value);
  return out;
}

struct Fixture {
  RunSettings settings;
  SilentLog log;
  RunContext context{settings, log};
  std::vector<std::unique_ptr<SourceScript>> sources;
  std::vector<std::unique_ptr<SinkScript>> sinks;
  Plan plan;

  explicit Fixture(std::size_t sink_count, std::vector<ChainPlan> chains,
                   std::size_t source_count = 1)
      : plan(make_plan(std::move(chains), sink_count)) {
    settings.threads = 4;
    // No queue is full only because some thread comes late.
    settings.memory_budget = std::size_t{16} << 30;
    plan.sources.resize(source_count, {.name = "in"});
    for (std::size_t i = 0; i < source_count; ++i) {
      sources.push_back(std::make_unique<SourceScript>());
    }
    for (std::size_t i = 0; i < sink_count; ++i) sinks.push_back(std::make_unique<SinkScript>());
  }

  [[nodiscard]] SourceScript& source() const { return *sources.front(); }

  std::unique_ptr<Engine> open() {
    Endpoints endpoints;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      endpoints.sources[i] = std::make_unique<MemorySource>(*sources[i], i);
    }
    for (std::size_t i = 0; i < sinks.size(); ++i) {
      endpoints.sinks[i] = std::make_unique<MemorySink>(*sinks[i]);
    }
    auto engine = std::make_unique<Engine>(plan, context, std::move(endpoints));
    if (!engine->open()) throw std::logic_error("what is in memory cannot be opened");
    return engine;
  }

  /// Throws where a contract is broken that holds for every run.
  RunReport run() {
    auto engine = open();
    RunReport report = engine->run();
    engine.reset();
    check_contracts();
    require(report.batches_held == 0 && report.bytes_held == 0, "credits have not come back");
    return report;
  }

  void check_contracts() const {
    for (const auto& source : sources) {
      require(source->closed, "a source is not closed");
      require(!source->acknowledged_after_close, "a closed source got an acknowledgement");
    }
    for (const auto& sink : sinks) {
      require(!sink->overlapped, "two writes to a sink at a time");
      require(!sink->empty_write, "nothing was written");
      require(!sink->written_after_close, "a closed sink was written to");
    }
  }

  [[nodiscard]] bool each_acknowledged_once() const {
    return std::ranges::all_of(sources, [](const auto& source) {
      return std::ranges::all_of(source->acknowledged, [](int times) { return times == 1; });
    });
  }

 private:
  static void require(bool holds, const char* otherwise) {
    if (!holds) throw std::logic_error(otherwise);
  }
};

}  // namespace kaspar::engine::test
