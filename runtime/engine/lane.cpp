#include "runtime/engine/lane.hpp"

#include <numeric>

#include "runtime/engine/chain_graph.hpp"

namespace kaspar::engine {

void Lane::begin(Flight& flight) {
  flight.lane = this;
  flight.lost = false;
  flight.discarded = false;
  flight.refused = false;
  flight.first_bad = Flight::no_row;
  flight.waiting.clear();
  if (serial) flight.waiting.reserve(paths.size());
  if (flight.shipment_count < edges.size()) {
    flight.shipments = std::make_unique<Shipment[]>(edges.size());
    flight.shipment_count = edges.size();
  }
  for (std::size_t i = 0; i < edges.size(); ++i) {
    Shipment& shipment = flight.shipments[i];
    shipment.flight = &flight;
    shipment.parts.assign(edges[i]->places(), nullptr);
    shipment.missing = edges[i]->places();
    shipment.sent.clear();
    shipment.is_copied = false;
  }
  if (flight.consignment_count < queues.size()) {
    flight.consignments = std::make_unique<Consignment[]>(queues.size());
    flight.consignment_count = queues.size();
  }
}

void launch(Flight& flight) {
  const Lane& lane = *flight.lane;
  begin_viewing(flight, lane.roots.size() + lane.queues.size() + 1);
  for (const Path* root : lane.roots) {
    Ticket& ticket = root->chain->take_ticket(*root, flight, nullptr);
    ticket.batch.reset(flight.records);
    root->chain->put(ticket);
  }
  for (std::size_t i = 0; i < lane.queues.size(); ++i) {
    Consignment& consignment = flight.consignments[i];
    consignment.rows.resize(flight.records.records.size());
    std::iota(consignment.rows.begin(), consignment.rows.end(), Row{0});
    const Outlet& outlet = lane.queues[i].outlet;
    outlet.edge->push(flight, outlet.place, consignment);
  }
  release_view(flight);
}

void begin_viewing(Flight& flight, std::size_t viewers) noexcept {
  flight.pending = 1;
  flight.viewing = viewers;
}

void release_view(Flight& flight) noexcept {
  if (flight.viewing.fetch_sub(1) != 1) return;
  if (flight.records.storage) flight.records.storage->release();
  release(flight);
}

void release(Flight& flight) noexcept {
  if (flight.pending.fetch_sub(1) == 1) flight.owner->finish(flight);
}

void release(Ticket& ticket) noexcept {
  Ticket* done = &ticket;
  while (done->pending.fetch_sub(1) == 1) {
    Flight& flight = *done->flight;
    Ticket* parent = done->parent;
    done->chain->give_back(*done);
    if (parent == nullptr) return release_view(flight);
    done = parent;
  }
}

}  // namespace kaspar::engine
