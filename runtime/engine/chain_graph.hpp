// One chain of the plan as nodes of the flow graph.
#pragma once

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/flow_graph.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/operator.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/engine/pool.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/sink_edge.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// Rows that a batch of this chain has room for: about 4 MiB of columns, 1 to 1024 rows.
[[nodiscard]] std::size_t batch_capacity(const ChainPlan& chain) noexcept;

class ChainGraph {
 public:
  /// Makes the operators. `ports` by sink index; the chain's must exist and outlive it.
  ChainGraph(const ChainPlan& plan, RunState& state,
             const std::map<std::size_t, std::unique_ptr<SinkPort>>& ports, bool fuse);

  /// Makes the nodes; inside the arena that is to run them.
  void build(tbb::flow::graph& graph);

  /// Sends a ticket for the flight into the graph.
  void dispatch(Flight& flight);

  /// A consignment of the ticket is delivered or given up; after the last one, the ticket is done.
  static void finish(Ticket& ticket) noexcept;

  [[nodiscard]] const ChainPlan& plan() const noexcept { return plan_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] ChainCount counts() const;

 private:
  using States = tbb::enumerable_thread_specific<std::unique_ptr<OperatorState>>;
  using Node = tbb::flow::function_node<Ticket*, Ticket*>;

  struct Stage {
    std::unique_ptr<Operator> work;
    std::unique_ptr<States> states;
    std::atomic<std::uint64_t> records_in{0};
    std::atomic<std::uint64_t> errors{0};
  };

  void run_segment(const Segment& segment, Ticket& ticket) noexcept;
  void refuse_large(Ticket& ticket);
  void complete(Ticket& ticket) noexcept;
  void route_errors(Ticket& ticket);
  void end_run_at(const RowError& error, Ticket& ticket);

  const ChainPlan& plan_;
  RunState& state_;
  std::size_t capacity_;
  std::size_t largest_record_;
  std::vector<Segment> segments_;
  std::unique_ptr<Stage[]> stages_;
  std::atomic<std::uint64_t> written_{0};
  std::vector<std::unique_ptr<SinkEdge>> edges_;   // the first one takes the outputs
  std::map<std::size_t, std::size_t> dead_edges_;  // by sink: which of edges_
  std::vector<std::unique_ptr<Node>> nodes_;
  Pool<Ticket> tickets_;
};

}  // namespace kaspar::engine
