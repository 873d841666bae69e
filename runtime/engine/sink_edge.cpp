#include "runtime/engine/sink_edge.hpp"

#include <utility>

#include "runtime/engine/chain_graph.hpp"

namespace kaspar::engine {

void SinkEdge::push(std::uint64_t sequence, Consignment& consignment) noexcept {
  order_.push(sequence, &consignment, [this](Consignment* due) { write(*due); });
}

void SinkEdge::write(Consignment& consignment) noexcept {
  // Once written, a consignment may be gone before write() returns.
  const bool last = consignment.last_of_edge;
  bool given_up = ended_ || state_.abandoned;
  if (!given_up && !consignment.records.empty()) {
    const std::lock_guard lock(port_.writing);
    given_up = port_.broken;
    if (!given_up) port_.sink->write(consignment.records, consignment);
  } else if (!given_up) {
    ChainGraph::finish(*consignment.ticket);
  }
  if (given_up) {
    consignment.ticket->flight->lost = true;
    ChainGraph::finish(*consignment.ticket);
  }
  if (last) ended_ = true;
}

void SinkEdge::failed(Failure failure) noexcept {
  port_.broken = true;
  state_.fail(std::move(failure));
}

void Consignment::delivered() noexcept {
  edge->delivered(records.size());
  ChainGraph::finish(*ticket);
}

void Consignment::failed(Failure failure) noexcept {
  ticket->flight->lost = true;
  edge->failed(std::move(failure));
  ChainGraph::finish(*ticket);
}

}  // namespace kaspar::engine
