// One stage's work on a batch.
#pragma once

#include <memory>

#include "runtime/core/batch.hpp"

namespace kaspar {

/// Scratch memory of an operator, one for each thread that runs it: never shared, never locked.
class OperatorState {
 public:
  OperatorState() = default;
  OperatorState(const OperatorState&) = delete;
  OperatorState& operator=(const OperatorState&) = delete;
  virtual ~OperatorState() = default;
};

/// Immutable once made, so that any number of threads may run it on different batches.
class Operator {
 public:
  Operator() = default;
  Operator(const Operator&) = delete;
  Operator& operator=(const Operator&) = delete;
  virtual ~Operator() = default;

  /// Scratch for one thread; nullptr where none is needed.
  [[nodiscard]] virtual std::unique_ptr<OperatorState> make_state() const { return nullptr; }

  /// Reads and writes columns of the rows in batch.alive(). A row that cannot be processed is
  /// batch.fail()ed. Never blocks, never throws; no allocation per row in the steady state. The
  /// answer for a row depends on that row alone. The caller brackets it by begin_stage/end_stage.
  virtual void process(Batch& batch, OperatorState* state) const noexcept = 0;
};

}  // namespace kaspar
