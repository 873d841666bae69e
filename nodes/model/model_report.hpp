// What a model file holds, what it costs, and what of it is not executed: `kaspar model`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nodes/model/graph.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// One thread, random inputs of which no two in a row are alike.
struct ModelCost {
  std::size_t batch = 0;
  double nanoseconds = 0;  // a record
};

/// Of a model without problems whose inputs leave open nothing but the batch.
struct ModelRun {
  std::vector<std::string> remarks;  // how each input takes a record
  std::size_t thread_bytes = 0;      // that each thread works in
  std::vector<ModelCost> costs;
};

struct ModelReport {
  ModelOrigin origin;
  std::vector<GraphPort> inputs;                 // without initializers
  std::vector<GraphPort> outputs;                // as the file declares them
  std::map<std::string, std::size_t> operators;  // how many nodes of each, with their domains
  std::uint64_t parameters = 0;                  // numbers in its constants
  std::size_t weight_bytes = 0;                  // that its constants take
  /// Everything that `check` or an `apply` would refuse, in the model's order. K0404 names its node
  /// as `place.name`.
  std::vector<Issue> problems;
  std::optional<ModelRun> run;

  [[nodiscard]] bool readable() const noexcept { return !inputs.empty(); }
};

/// Reads the file as `check` does, within the budget, and runs the model for some tenths of a
/// second. A file that cannot be read has nothing but problems.
[[nodiscard]] ModelReport describe_model(const std::string& path, std::size_t memory_budget);

/// "float32[N,60]"
[[nodiscard]] std::string type_text(const GraphPort& port);

}  // namespace kaspar::nodes
