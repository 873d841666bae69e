// What is to be run: the compiler's output and the engine's input. Plain data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/expression.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar {

/// Where an item or stage stands in its file; lines and columns count from 1, columns in code
/// points.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

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
};

struct StagePlan {
  std::string word;  // as after `|>`: the stage's name in dead letters and counters
  std::string text;  // as printed: "parse csv as Window"
  const NodeDescriptor* node = nullptr;
  StageCall call;
  std::vector<Slot> writes;
  std::shared_ptr<const Resource> resource;
  bool fallible = false;
  ErrorPolicy on_error;
  Place place;
};

/// Stages that run as one graph node: [first, last).
struct Segment {
  std::size_t first = 0;
  std::size_t last = 0;
};

/// From a source to a sink. The last stage is the `to`, which makes the batch's outputs.
struct ChainPlan {
  std::size_t source = 0;  // index into Plan::sources
  std::size_t sink = 0;    // index into Plan::sinks
  std::vector<StagePlan> stages;
  std::vector<Column> slots;      // every column ever defined in the chain
  std::vector<Segment> segments;  // cover the stages in order
  Place place;
};

struct ModelPlan {
  std::string name;
  const NodeDescriptor* node = nullptr;
  std::string path;
  std::shared_ptr<const Resource> resource;
  Place place;
};

struct Plan {
  std::string file;
  std::vector<EndpointPlan> sources;
  std::vector<EndpointPlan> sinks;
  std::vector<ModelPlan> models;
  std::vector<ChainPlan> chains;
};

}  // namespace kaspar
