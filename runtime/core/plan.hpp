// What is to be run: the compiler's output and the engine's input. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/core/expression.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/place.hpp"
#include "runtime/core/schema.hpp"
#include "runtime/core/test_plan.hpp"

namespace kaspar {

/// Where a stage's failed rows go.
struct ErrorPolicy {
  enum class Action : std::uint8_t {
    Fail,  // the run ends (also the safe default)
    Drop,  // counted and dropped, as the file says
    Sink,  // a dead letter to `sink`
  };
  Action action = Action::Fail;
  std::size_t sink = 0;  // index into Plan::sinks
};

/// A source or sink.
struct EndpointPlan {
  std::string name;
  const NodeDescriptor* node = nullptr;
  Params params;
  Place place;
  bool best_effort = false;    // of a sink: it never holds back or fails the others
  std::size_t queue = 10'000;  // of a best-effort sink: rows
};

struct StagePlan {
  std::string word;  // as after `|>`: the stage's name in dead letters and counters
  std::string text;  // as printed: "parse csv as Window"
  const NodeDescriptor* node = nullptr;
  StageCall call;
  std::vector<Slot> writes;
  std::shared_ptr<const Resource> resource;
  bool fallible = false;
  /// Computes the operands of the stage after it, in whose name its rows fail; the file has no such
  /// stage.
  bool implicit = false;
  ErrorPolicy on_error;
  Place place;
};

/// Stages that run as one graph node: [first, last).
struct Segment {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// A column of the chain before, as the chain that reads it has it.
struct ColumnBinding {
  Slot from = 0;  // slot of the chain before
  Slot to = 0;    // slot of this chain, below ChainPlan::inherited
};

/// Where a chain's batches come from: a source, or another chain's end.
struct ChainInput {
  std::optional<std::size_t> source;   // index into Plan::sources; else `chain`
  std::size_t chain = 0;               // index into Plan::chains, a smaller one
  std::optional<std::size_t> arm;      // only the rows of this arm of that chain's `route`
  std::vector<ColumnBinding> columns;  // empty for a source
};

/// A run of stages without fork or merge. It ends in a sink, in a `route`, or is a `stream`; the
/// chains that name it among their inputs read its rows (a fork, where there are several).
struct ChainPlan {
  std::string name;                 // of the `stream`; empty
  std::vector<ChainInput> inputs;   // one, or those of a `merge`
  std::vector<StagePlan> stages;    // of one with a sink, the last is the `to`, which makes outputs
  std::vector<Column> slots;        // every column of the chain: those inherited, then its own
  std::size_t inherited = 0;        // slots that an input's columns are bound to
  std::vector<Segment> segments;    // cover the stages in order
  std::optional<std::size_t> sink;  // index into Plan::sinks
  std::optional<Slot> arm;  // of a `route`: the i64 column with each row's arm, from 0; arms
                            // that no chain reads are dropped, as the file says
  /// Every sink that its rows can reach is best-effort: what fails in it is counted and dropped.
  bool best_effort = false;
  /// Of the first best-effort chain below a fork: rows that wait or are at work in it and below,
  /// beyond which the newest are dropped and counted. 0: there is no queue.
  std::size_t queue_rows = 0;
  Place place;
};

struct ModelPlan {
  std::string name;
  const NodeDescriptor* node = nullptr;
  std::string path;
  std::shared_ptr<const Resource> resource;
  Place place;
};

enum class Guarantee : std::uint8_t { AtLeastOnce, ExactlyOnce };

struct Plan {
  std::string file;
  Guarantee guarantee = Guarantee::AtLeastOnce;
  std::vector<EndpointPlan> sources;
  std::vector<EndpointPlan> sinks;
  std::vector<ModelPlan> models;
  std::vector<ChainPlan> chains;  // each after those that it reads; only what reaches a sink
  std::vector<TestPlan> tests;

  /// Bytes that models, and all that stages hold beside them, take of so many threads and those
  /// that read the sources, which compute too.
  [[nodiscard]] std::size_t model_memory(std::size_t threads) const noexcept {
    std::size_t bytes = 0;
    const auto add = [&](const std::shared_ptr<const Resource>& resource) {
      if (resource != nullptr)
        bytes += resource->memory() + (threads + sources.size()) * resource->memory_per_thread();
    };
    for (const ModelPlan& model : models) add(model.resource);
    for (const ChainPlan& chain : chains) {
      for (const StagePlan& stage : chain.stages) add(stage.resource);
    }
    return bytes;
  }

  /// Whether rows wait for best-effort branches below a fork.
  [[nodiscard]] bool has_best_effort_branches() const noexcept {
    for (const ChainPlan& chain : chains) {
      if (chain.queue_rows != 0) return true;
    }
    return false;
  }
};

}  // namespace kaspar
