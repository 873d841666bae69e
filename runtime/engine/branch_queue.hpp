// The queue before best-effort branches: it takes copies while there is room, and lets them run
// beside the live branches without ever holding those back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "runtime/engine/chain_graph.hpp"
#include "runtime/engine/detached_flight.hpp"
#include "runtime/engine/edge.hpp"
#include "runtime/engine/lane.hpp"
#include "runtime/engine/pool.hpp"
#include "runtime/engine/run_state.hpp"

namespace kaspar::engine {

class BranchQueue;

/// How many detached flights compute at a time, over all queues: half of the arena.
struct WorkSlots {
  explicit WorkSlots(std::size_t threads) : free(std::max<std::size_t>(1, threads / 2)) {}

  std::atomic<std::size_t> free;
  std::vector<BranchQueue*> queues;  // that wait for them

  [[nodiscard]] bool take() noexcept;
};

/// What a place of an edge into a queue is for.
struct QueuePlace {
  std::size_t head = 0;  // of the queue
  const ChainInput* input = nullptr;
};

/// Branches whose rows meet in a sink share a queue, so that they keep their order there. Rows that
/// wait follow each other in flights as full as they can be; those that find no room are counted.
class BranchQueue final : public FlightOwner {
 public:
  /// Detached flights that may be at work, delivery included.
  static constexpr std::size_t most_flights = 256;

  BranchQueue(RunState& state, WorkSlots& slots);

  [[nodiscard]] Lane& lane() noexcept { return lane_; }
  /// A chain at the head of a branch, by the one path that leads to it here.
  std::size_t add_head(ChainGraph& chain, const Path& path);
  /// When the lane is complete. `bytes`: half for what is copied, half for columns at work.
  void start(std::size_t capacity, std::size_t bytes);

  /// Takes what there is room for. The shipment's parts are by these places.
  void admit(const Shipment& shipment, const std::vector<QueuePlace>& places) noexcept;

  /// Starts what may run now.
  void pump() noexcept;

  /// Takes and starts nothing more; what waits is dropped.
  void close() noexcept;

  void finish(Flight& flight) noexcept override;
  void computed(Flight& flight) noexcept override;

 private:
  struct Head {
    ChainGraph* chain = nullptr;
    const Path* path = nullptr;
    std::size_t rows = 0;  // that wait or are at work
  };
  struct Candidate {
    Row row = 0;
    std::uint32_t place = 0;
    friend auto operator<=>(const Candidate&, const Candidate&) = default;
  };

  [[nodiscard]] bool add(const Candidate& candidate, const Shipment& shipment,
                         const QueuePlace& place);
  void drop(Head& head, std::size_t rows) noexcept;
  void pump_locked() noexcept;
  void run(DetachedFlight& flight);
  void forget(DetachedFlight& flight) noexcept;

  RunState& state_;
  WorkSlots& slots_;
  Lane lane_;
  std::size_t capacity_ = 0;
  std::size_t flight_bytes_ = 0;  // that a flight holds, empty
  std::size_t copy_budget_ = 0;
  std::size_t column_budget_ = 0;
  Pool<DetachedFlight> flights_;

  std::mutex mutex_;
  // Under the mutex:
  std::vector<Head> heads_;
  std::vector<Candidate> candidates_;
  DetachedFlight* first_ = nullptr;  // that wait
  DetachedFlight* last_ = nullptr;
  std::size_t copied_ = 0;   // bytes
  std::size_t flying_ = 0;   // flights that wait or are at work
  std::size_t at_work_ = 0;  // flights
  std::uint64_t next_sequence_ = 0;
  bool closed_ = false;
  bool told_ = false;  // the log, that rows are dropped
};

/// From one lane into a queue.
class QueueEdge final : public Edge {
 public:
  QueueEdge(std::size_t index, std::size_t window, BranchQueue& queue)
      : Edge(index, window), queue_(queue) {}

  std::size_t add_place(QueuePlace place) {
    meanings_.push_back(place);
    return places_++;
  }

 private:
  void pass_on(Shipment& shipment) noexcept override;

  BranchQueue& queue_;
  std::vector<QueuePlace> meanings_;
};

}  // namespace kaspar::engine
