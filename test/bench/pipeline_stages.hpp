// The stages of a pipeline file, ready to be run one by one over rows that stay in memory: what the
// engine runs, without the engine.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "runtime/core/batch.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::bench {

/// Of the file's first chain. Not movable, for batches refer to its records.
class PipelineStages {
 public:
  /// Splits the rows, which outlive it, into batches of `batch_size`, and runs every stage over all
  /// of them once. Ends the process with a message if the file cannot be compiled or a row fails.
  PipelineStages(const std::string& file, std::span<const std::string> rows,
                 std::size_t batch_size);
  PipelineStages(const PipelineStages&) = delete;
  PipelineStages& operator=(const PipelineStages&) = delete;

  [[nodiscard]] std::span<const StagePlan> stages() const noexcept {
    return plan_.chains[0].stages;
  }
  /// Runs that stage over all rows again; the columns of those before it are as they were.
  void run(std::size_t stage) noexcept;
  /// The first column that the stage writes, f32, of every row.
  [[nodiscard]] std::vector<float> floats(std::size_t stage) const;

 private:
  NodeRegistry registry_;
  Plan plan_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<std::unique_ptr<OperatorState>> states_;
  std::vector<RecordBatch> records_;
  std::vector<std::unique_ptr<Batch>> batches_;
};

}  // namespace kaspar::bench
