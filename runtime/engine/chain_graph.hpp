// One chain of the plan as nodes of the flow graph.
#pragma once

#include <oneapi/tbb/enumerable_thread_specific.h>
#include <oneapi/tbb/flow_graph.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/operator.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/run_snapshot.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/engine/lane.hpp"
#include "runtime/engine/pool.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/sink_edge.hpp"
#include "runtime/engine/tap.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// Records of a chain, by what became of them.
struct ChainCounters {
  std::atomic<std::uint64_t> written{0};
  std::atomic<std::uint64_t> unconfirmed{0};  // handed to a sink that has not told yet
  std::atomic<std::uint64_t> best_effort_failed{0};
  std::atomic<std::uint64_t> best_effort_dropped{0};
};

class ChainGraph {
 public:
  /// Makes the operators. `index`: of the chain in the plan. `ports` by sink index; the chain's
  /// must exist and outlive it.
  ChainGraph(const ChainPlan& plan, std::size_t index, RunState& state,
             const std::map<std::size_t, std::unique_ptr<SinkPort>>& ports, bool fuse);

  /// Rows that its tickets have room for; before the first one is taken.
  void set_capacity(std::size_t rows) noexcept { capacity_ = rows; }

  /// Makes the nodes; inside the arena that is to run them.
  void build(tbb::flow::graph& graph, tbb::flow::node_priority_t priority);

  /// A ticket for the flight, its columns bound to the parent's; its batch is not yet reset.
  [[nodiscard]] Ticket& take_ticket(const Path& path, Flight& flight, Ticket* parent);
  /// Sends the ticket into the graph, or runs it, as its flight says.
  void put(Ticket& ticket);
  void give_back(Ticket& ticket) noexcept { tickets_.give_back(&ticket); }

  [[nodiscard]] const ChainPlan& plan() const noexcept { return plan_; }
  /// Sinks that its tickets write to: that of its outputs first, then those of dead letters only.
  [[nodiscard]] const std::vector<std::size_t>& sinks() const noexcept { return sinks_; }
  [[nodiscard]] ChainCounters& counters() noexcept { return counters_; }
  [[nodiscard]] Taps& taps() noexcept { return taps_; }
  [[nodiscard]] ChainCount counts() const;
  /// The same for those who look on while it runs, and how many tickets have begun and have ended.
  [[nodiscard]] ChainSnapshot snapshot() const;
  [[nodiscard]] std::uint64_t begun() const noexcept { return begun_; }
  [[nodiscard]] std::uint64_t ended() const noexcept { return ended_; }

 private:
  /// Of one thread, by stage; made when it first comes to the stage.
  using States = std::vector<std::unique_ptr<OperatorState>>;
  using Node = tbb::flow::function_node<Ticket*, Ticket*>;

  struct Stage {
    std::unique_ptr<Operator> work;
    // Once a batch:
    std::atomic<std::uint64_t> records_in{0};
    std::atomic<std::uint64_t> filtered{0};
    std::atomic<std::uint64_t> errors{0};
    std::atomic<std::uint64_t> busy{0};  // nanoseconds

    void count(std::size_t rows, std::size_t left, std::size_t failed,
               std::chrono::nanoseconds took) noexcept;
  };

  void run_segment(const Segment& segment, Ticket& ticket) noexcept;
  void refuse_large(Batch& batch);
  void refuse_again(Ticket& ticket);
  void complete(Ticket& ticket) noexcept;
  void abandon(Ticket& ticket) noexcept;
  void route_errors(Ticket& ticket);
  void tell_errors(const Batch& batch, std::span<const RowError* const> errors);
  void add_dead_letter(const RowError& error, Ticket& ticket);
  void end_run_at(const RowError& error, Ticket& ticket);
  void dispatch_children(Ticket& ticket);
  void push_consignments(Ticket& ticket);

  const ChainPlan& plan_;
  RunState& state_;
  std::size_t capacity_ = 0;
  std::size_t largest_record_ = 0;
  std::vector<Segment> segments_;
  std::unique_ptr<Stage[]> stages_;
  tbb::enumerable_thread_specific<States> states_;
  ChainCounters counters_;
  std::atomic<std::uint64_t> waiting_{0};  // records of tickets in front of the first node
  std::atomic<std::uint64_t> begun_{0};    // tickets
  std::atomic<std::uint64_t> ended_{0};
  std::size_t index_;
  Taps taps_;
  std::vector<std::size_t> sinks_;
  std::vector<std::unique_ptr<Node>> nodes_;
  Pool<Ticket> tickets_;
};

}  // namespace kaspar::engine
