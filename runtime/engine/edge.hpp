// Where the concurrent tickets of a lane come together again, in the order of reading.
#pragma once

#include <cstddef>

#include "runtime/engine/reorder_buffer.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// Of one lane, to one sink or queue: the consignments of all paths that end there make up a
/// shipment for each flight. How many there are is known beforehand, for empty ones come too.
class Edge {
 public:
  /// `index`: in Lane::edges. `window`: flights of the lane that may be on their way.
  Edge(std::size_t index, std::size_t window) : index_(index), order_(window) {}
  Edge(const Edge&) = delete;
  Edge& operator=(const Edge&) = delete;
  virtual ~Edge() = default;

  [[nodiscard]] std::size_t places() const noexcept { return places_; }

  /// Any thread. The flight's last consignment completes its shipment, which is passed on as soon
  /// as those of all earlier flights are.
  void push(Flight& flight, std::size_t place, Consignment& consignment) noexcept {
    Shipment& shipment = flight.shipments[index_];
    shipment.parts[place] = &consignment;
    if (shipment.missing.fetch_sub(1) != 1) return;
    order_.push(flight.records.sequence, &shipment, [this](Shipment* due) { pass_on(*due); });
  }

 protected:
  /// One at a time, in order.
  virtual void pass_on(Shipment& shipment) noexcept = 0;

  std::size_t places_ = 0;

 private:
  std::size_t index_;
  ReorderBuffer<Shipment*> order_;
};

}  // namespace kaspar::engine
