// What travels through the graph: a batch read, and one ticket of it for each chain that works on
// it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/record.hpp"
#include "runtime/core/sink.hpp"

namespace kaspar::engine {

class ChainGraph;
class SinkEdge;
class SourceDriver;
struct Ticket;

/// A batch from its read to its acknowledgement. Pooled by its driver.
struct Flight {
  RecordBatch records;
  SourceDriver* driver = nullptr;
  std::size_t credit = 0;  // bytes held of the credits
  std::atomic<std::size_t> tickets{0};
  std::atomic<bool> lost{false};  // something of it was not delivered: never acknowledged
};

/// The records of a ticket for one sink, and the listener for their delivery.
class Consignment final : public DeliveryListener {
 public:
  Ticket* ticket = nullptr;
  SinkEdge* edge = nullptr;
  std::span<const OutputRecord> records;   // what is written
  std::vector<OutputRecord> dead_records;  // what `records` shows on an edge of dead letters
  std::vector<DeadLetter> letters;
  bool last_of_edge = false;  // a row of it ended the run: nothing later is written on this edge

  void delivered() noexcept override;
  void failed(Failure failure) noexcept override;
};

/// One chain's work on one flight. Pooled by its chain.
struct Ticket {
  Ticket(std::span<const Column> slots, std::size_t capacity) : batch(slots, capacity) {}

  Batch batch;
  Flight* flight = nullptr;
  ChainGraph* chain = nullptr;
  std::unique_ptr<Consignment[]> consignments;  // one for each edge of the chain
  std::atomic<std::size_t> pending{0};          // consignments neither delivered nor given up
};

}  // namespace kaspar::engine
