// What travels through the graph: a flight is a batch of records, a ticket is one chain's work on
// it, a consignment is what a ticket sends over one edge, and a shipment is what all tickets of a
// flight send over one edge.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/record.hpp"
#include "runtime/core/sink.hpp"

namespace kaspar::engine {

class ChainGraph;
class Edge;
class SinkEdge;
struct Flight;
struct Lane;
struct Path;
struct Ticket;

/// Who sends flights and takes them back: the driver of a source, or a queue.
class FlightOwner {
 public:
  /// Nothing of the flight is at work any more. Any thread.
  virtual void finish(Flight& flight) noexcept = 0;
  /// Of a flight whose tickets run one after the other: the last one ran.
  virtual void computed(Flight& flight) noexcept { (void)flight; }

 protected:
  ~FlightOwner() = default;
};

/// What a ticket, or a flight itself, sends over one edge.
struct Consignment {
  Ticket* ticket = nullptr;               // nullptr: a flight's own, straight from the source
  std::span<const OutputRecord> records;  // for a sink, by row
  std::vector<OutputRecord> dead_records;
  std::vector<DeadLetter> letters;
  std::vector<OutputRecord> mixed;  // outputs and dead letters for the same sink
  std::vector<Row> rows;            // for a queue
};

/// What a chain has in a shipment.
struct Sent {
  ChainGraph* chain = nullptr;
  std::size_t records = 0;
  std::size_t outputs = 0;  // without dead letters
};

/// What of one flight passes one edge, and the listener for its delivery.
class Shipment final : public DeliveryListener {
 public:
  Flight* flight = nullptr;
  SinkEdge* edge = nullptr;             // once written
  std::vector<Consignment*> parts;      // by place: chains as in the plan, then their paths
  std::atomic<std::size_t> missing{0};  // parts still to come
  std::span<const OutputRecord> records;
  std::vector<OutputRecord> merged;
  std::vector<Sent> sent;  // outlives the parts, once they are copied
  bool is_copied = false;

  void copied() noexcept override;
  void delivered() noexcept override;
  void failed(Failure failure) noexcept override;
  void discarded() noexcept override;
  void refused(std::span<const std::size_t> indexes, std::string_view why) noexcept override;
};

/// A batch from its read to its acknowledgement. Pooled by its owner.
struct Flight {
  static constexpr std::uint32_t no_row = std::numeric_limits<std::uint32_t>::max();

  RecordBatch records;
  FlightOwner* owner = nullptr;
  Lane* lane = nullptr;
  std::size_t credit = 0;  // bytes held of the credits
  std::chrono::steady_clock::time_point read_at;
  std::int64_t first_timestamp = -1;     // of its first record
  std::atomic<std::size_t> viewing{0};   // root tickets and own consignments, which view records
  std::atomic<std::size_t> pending{0};   // all those as one, and each copied shipment
  bool in_place = false;                 // chains run in the thread that launches it
  std::atomic<bool> lost{false};         // something was not delivered: never acknowledged
  std::atomic<bool> discarded{false};    // by a sink: its source reads it again
  std::atomic<bool> refused{false};      // for rows that are known, and fail when they come again
  std::atomic<std::uint32_t> first_bad;  // the row that ends the run; nothing from it on is written
  std::unique_ptr<Shipment[]> shipments;  // as Lane::edges
  std::size_t shipment_count = 0;
  std::unique_ptr<Consignment[]> consignments;  // as Lane::queues
  std::size_t consignment_count = 0;
  std::vector<Ticket*> waiting;  // of a serial lane: tickets that have not run

  Flight() : first_bad(no_row) {}
};

/// One chain's work on one flight that came by one path. Its memory lives until all that was made
/// of it is copied, delivered or given up. Pooled by its chain.
struct Ticket {
  Ticket(std::span<const Column> slots, std::size_t capacity, std::size_t inherited)
      : batch(slots, capacity, inherited) {}

  Batch batch;
  Flight* flight = nullptr;
  ChainGraph* chain = nullptr;
  const Path* path = nullptr;
  Ticket* parent = nullptr;                     // whose columns it shows; nullptr at a lane's start
  std::unique_ptr<Consignment[]> consignments;  // as Path::sinks, then Path::queues
  std::atomic<std::size_t> pending{0};          // consignments and child tickets at work
};

/// `viewers` root tickets and own consignments are at work.
void begin_viewing(Flight& flight, std::size_t viewers) noexcept;
/// One that is counted in the ticket's `pending`, or the flight's `viewing`, is done. When nothing
/// views the records any more, they go.
void release(Ticket& ticket) noexcept;
void release_view(Flight& flight) noexcept;
/// One that is counted in its `pending` is done.
void release(Flight& flight) noexcept;

}  // namespace kaspar::engine
