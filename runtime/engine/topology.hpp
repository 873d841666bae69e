// The plan's chains, unfolded into lanes, paths and edges.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/core/plan.hpp"
#include "runtime/engine/branch_queue.hpp"
#include "runtime/engine/chain_graph.hpp"
#include "runtime/engine/lane.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/sink_edge.hpp"

namespace kaspar::engine {

using SinkPorts = std::map<std::size_t, std::unique_ptr<SinkPort>>;

/// All that batches flow through. The plan, the state and the ports outlive it.
class Topology {
 public:
  /// Makes the chains' operators too. `queue_bytes`: for what best-effort branches copy.
  Topology(const Plan& plan, RunState& state, SinkPorts& ports, std::size_t threads,
           std::size_t queue_bytes);

  [[nodiscard]] const std::vector<std::unique_ptr<ChainGraph>>& chains() const noexcept {
    return chains_;
  }
  /// By source endpoint: those that chains read.
  [[nodiscard]] const std::map<std::size_t, std::unique_ptr<Lane>>& lanes() const noexcept {
    return lanes_;
  }
  [[nodiscard]] const std::vector<std::unique_ptr<BranchQueue>>& queues() const noexcept {
    return queues_;
  }
  /// Whether all flights of the chain are detached.
  [[nodiscard]] bool detached(std::size_t chain) const noexcept { return detached_[chain]; }
  /// Rows that every batch has room for: at most 1024.
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

 private:
  void group_queues();
  void add_chain(std::size_t index);
  Path& add_path(std::size_t index, Lane& lane, const ChainInput* input, Path* parent);
  void add_queue_input(std::size_t index, const ChainInput& input);
  [[nodiscard]] bool queued(std::size_t chain) const noexcept;
  Lane& source_lane(std::size_t source);
  Outlet sink_outlet(Lane& lane, std::size_t sink, const ChainPlan& chain);
  Outlet queue_outlet(Lane& lane, std::size_t chain, const ChainInput& input);
  void choose_capacity();

  const Plan& plan_;
  RunState& state_;
  SinkPorts& ports_;
  WorkSlots slots_;
  std::vector<std::unique_ptr<ChainGraph>> chains_;
  std::map<std::size_t, std::unique_ptr<Lane>> lanes_;
  std::vector<std::unique_ptr<BranchQueue>> queues_;
  std::map<std::size_t, std::size_t> queue_of_;  // by chain at a branch's head
  std::map<std::size_t, std::size_t> head_of_;   // the same chain's index in its queue
  std::map<std::pair<const Lane*, std::size_t>, SinkEdge*> sink_edges_;
  std::map<std::pair<const Lane*, std::size_t>, QueueEdge*> queue_edges_;
  std::vector<std::vector<Path*>> paths_;  // by chain
  std::vector<bool> detached_;
  std::size_t capacity_ = 0;
};

}  // namespace kaspar::engine
