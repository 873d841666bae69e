// Where flights fly: everything below one source endpoint, or below one queue, unfolded.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/plan.hpp"
#include "runtime/engine/edge.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// An edge, and which of its places.
struct Outlet {
  Edge* edge = nullptr;
  std::size_t place = 0;
};

/// Rows that leave for a queue.
struct QueueOutlet {
  Outlet outlet;
  const ChainInput* input = nullptr;
};

/// One way from a lane's start to a chain. A chain below a merge has one for each way.
struct Path {
  ChainGraph* chain = nullptr;
  Lane* lane = nullptr;
  const ChainInput* input = nullptr;  // nullptr at a queue
  std::vector<Outlet> sinks;          // as ChainGraph::sinks()
  std::vector<QueueOutlet> queues;
  std::vector<Path*> next;
};

/// Flights of a lane have a dense sequence, in which every edge passes them on; each has one
/// shipment for each edge, an empty one too.
struct Lane {
  Lane(bool in_series, const std::atomic<bool>& is_abandoned)
      : serial(in_series), abandoned(is_abandoned) {}

  std::vector<std::unique_ptr<Path>> paths;
  std::vector<Path*> roots;
  std::vector<QueueOutlet> queues;  // from the source straight into a queue
  std::vector<std::unique_ptr<Edge>> edges;
  std::size_t column_bytes = 0;  // of all tickets of a flight
  const bool serial;             // tickets of a flight run one after the other
  const std::atomic<bool>& abandoned;
  std::atomic<std::uint64_t> records_read{0};       // also again
  std::atomic<std::uint64_t> ended_at{UINT64_MAX};  // nothing of later flights is written

  /// Makes the flight ready for this lane. Its records have their sequence.
  void begin(Flight& flight);
};

/// Sends a flight that begin() made ready to the chains and queues that read its source.
void launch(Flight& flight);

}  // namespace kaspar::engine
