// The end of a chain: from its concurrent bodies, back in order, into one sink.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>

#include "runtime/core/sink.hpp"
#include "runtime/engine/reorder_buffer.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// A sink and what guards it: several edges may end in it, one writes at a time.
struct SinkPort {
  std::unique_ptr<Sink> sink;
  std::mutex writing;
  std::atomic<bool> broken{false};  // it failed or is closed: nothing more is written
};

/// One per chain and sink, and one more where the chain's dead letters go there. Every ticket of
/// the chain passes, also with nothing to write.
class SinkEdge {
 public:
  SinkEdge(RunState& state, SinkPort& port, std::atomic<std::uint64_t>& written)
      : state_(state), port_(port), written_(written), order_(state.max_batches) {}

  /// Any thread. The consignment finishes when its records are delivered or given up.
  void push(std::uint64_t sequence, Consignment& consignment) noexcept;

  void delivered(std::size_t records) noexcept {
    written_.fetch_add(records, std::memory_order_relaxed);
  }
  void failed(Failure failure) noexcept;

 private:
  void write(Consignment& consignment) noexcept;

  RunState& state_;
  SinkPort& port_;
  std::atomic<std::uint64_t>& written_;
  ReorderBuffer<Consignment*> order_;
  bool ended_ = false;  // touched by the one who emits only
};

}  // namespace kaspar::engine
