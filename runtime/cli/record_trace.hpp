// What a pipeline does with one record, stage by stage: the operators of a run, without its graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/plan.hpp"

namespace kaspar::cli {

struct TracedRecord {
  std::size_t source = 0;  // index into Plan::sources
  std::string topic;       // empty: it is of none
  std::int32_t partition = 0;
  std::int64_t offset = -1;
  std::int64_t timestamp = -1;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::string header;  // the line that names the columns of a source with one
};

/// A record that leaves the pipeline.
struct TracedOutput {
  std::size_t sink = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
  std::int64_t timestamp = -1;  // -1: the time of writing
  bool dead_letter = false;
};

struct TracedStage {
  enum class Outcome : std::uint8_t { Passed, Filtered, Failed };
  const StagePlan* stage = nullptr;
  Outcome outcome = Outcome::Passed;
  std::vector<std::pair<std::string, std::string>> columns;  // that it wrote, as JSON
  std::string arm;                                           // of a `route`: the stream, or `drop`
  DiagnosticCode code = DiagnosticCode::K0902;               // of Failed
  std::string message;
  std::string policy;  // of Failed: what becomes of the row, "to `dead`", "dropped", "ends the run"
};

/// One way of the record through one chain.
struct TracedChain {
  std::size_t chain = 0;
  std::string from;  // what it reads: a source's, a stream's name; may be empty
  std::vector<TracedStage> stages;
  std::vector<TracedOutput> outputs;
};

/// The largest record that sinks take, by sink; where none is given, anything.
using SinkLimits = std::map<std::size_t, std::size_t>;

/// Chains in the order in which rows reach them. The plan outlives what is returned.
[[nodiscard]] std::vector<TracedChain> trace_record(const Plan& plan, const TracedRecord& record,
                                                    const SinkLimits& limits);

}  // namespace kaspar::cli
