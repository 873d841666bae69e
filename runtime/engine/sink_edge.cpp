#include "runtime/engine/sink_edge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/engine/chain_graph.hpp"
#include "runtime/engine/lane.hpp"

namespace kaspar::engine {
namespace {

// The flight, and so the shipment, may be gone once the last part is released.
void release_parts(Shipment& shipment) noexcept {
  const std::size_t count = shipment.parts.size();
  for (std::size_t i = 0; i < count; ++i) release(*shipment.parts[i]->ticket);
}

bool counted_only(const ChainGraph& chain) noexcept { return chain.plan().best_effort; }

// The last touch of a shipment whose delivery has ended.
void release(Shipment& shipment) noexcept {
  if (shipment.is_copied) return release(*shipment.flight);
  release_parts(shipment);
}

}  // namespace

void SinkEdge::pass_on(Shipment& shipment) noexcept {
  Flight& flight = *shipment.flight;
  if (flight.lane->abandoned || flight.records.sequence > flight.lane->ended_at) {
    return give_up(shipment);
  }
  gather(shipment);
  if (shipment.records.empty()) return release_parts(shipment);
  {
    const std::lock_guard lock(port_.writing);
    if (!port_.broken) {
      shipment.edge = this;
      // Once written, a shipment may be gone before write() returns.
      return port_.sink->write(
          shipment.records,
          {.transaction = flight.records.transaction, .caution = flight.records.caution}, shipment);
    }
  }
  answered(shipment);
  give_up(shipment);
}

// What the shipment writes; counters of best-effort chains are told.
void SinkEdge::gather(Shipment& shipment) {
  const std::uint32_t end = shipment.flight->first_bad;
  std::size_t filled = 0;
  shipment.records = {};
  for (Consignment* part : shipment.parts) {
    if (end != Flight::no_row && !part->records.empty()) {
      const auto last = std::ranges::lower_bound(part->records, end, {}, &OutputRecord::row);
      const auto kept = static_cast<std::size_t>(last - part->records.begin());
      if (counted_only(*part->ticket->chain)) {
        part->ticket->chain->counters().best_effort_dropped += part->records.size() - kept;
      }
      part->records = part->records.first(kept);
    }
    if (part->records.empty()) continue;
    ChainGraph& chain = *part->ticket->chain;
    chain.counters().unconfirmed += part->records.size();
    const auto outputs = std::ranges::count(part->records, nullptr, &OutputRecord::dead_letter);
    shipment.sent.push_back({.chain = &chain,
                             .records = part->records.size(),
                             .outputs = static_cast<std::size_t>(outputs)});
    shipment.records = part->records;
    ++filled;
  }
  if (filled > 1) merge(shipment);
  port_.unconfirmed.fetch_add(shipment.records.size(), std::memory_order_relaxed);
}

void SinkEdge::answered(const Shipment& shipment) noexcept {
  for (const Sent& sent : shipment.sent) {
    sent.chain->counters().unconfirmed -= sent.records;
    port_.unconfirmed.fetch_sub(sent.records, std::memory_order_relaxed);
  }
}

// Counts how many records each row has, then puts each record in its place.
void SinkEdge::merge(Shipment& shipment) {
  starts_.fill(0);
  std::size_t total = 0;
  for (const Consignment* part : shipment.parts) {
    for (const OutputRecord& record : part->records) ++starts_[record.row + std::size_t{1}];
    total += part->records.size();
  }
  for (std::size_t row = 1; row < starts_.size(); ++row) starts_[row] += starts_[row - 1];
  shipment.merged.resize(total);
  for (const Consignment* part : shipment.parts) {
    for (const OutputRecord& record : part->records) {
      shipment.merged[starts_[record.row]++] = record;
    }
  }
  shipment.records = shipment.merged;
}

void SinkEdge::give_up(Shipment& shipment) noexcept {
  for (const Consignment* part : shipment.parts) {
    if (counted_only(*part->ticket->chain)) {
      part->ticket->chain->counters().best_effort_dropped += part->records.size();
    } else {
      shipment.flight->lost = true;
    }
  }
  release_parts(shipment);
}

void SinkEdge::copied(Shipment& shipment) noexcept {
  shipment.is_copied = true;
  ++shipment.flight->pending;
  release_parts(shipment);
}

void SinkEdge::delivered(Shipment& shipment) noexcept {
  answered(shipment);
  for (const Sent& sent : shipment.sent) {
    ChainCounters& counters = sent.chain->counters();
    counters.written += sent.outputs;
    state_.dead_letters += sent.records - sent.outputs;
    port_.records.fetch_add(sent.outputs, std::memory_order_relaxed);
    port_.dead_letters.fetch_add(sent.records - sent.outputs, std::memory_order_relaxed);
  }
  release(shipment);
}

void SinkEdge::failed(Shipment& shipment, Failure failure) noexcept {
  bool fatal = false;
  std::size_t records = 0;
  answered(shipment);
  for (const Sent& sent : shipment.sent) {
    ChainCounters& counters = sent.chain->counters();
    if (counted_only(*sent.chain)) {
      counters.best_effort_failed += sent.records;
      records += sent.records;
    } else {
      fatal = true;
    }
  }
  if (fatal) {
    shipment.flight->lost = true;
    port_.broken = true;
    state_.fail(std::move(failure));
  } else if (!port_.failed_once.exchange(true)) {
    state_.context.log.write(LogLevel::Warning, "best_effort_failed", failure.message,
                             {{"records", std::to_string(records)}});
  }
  release(shipment);
}

void SinkEdge::discarded(Shipment& shipment) noexcept {
  answered(shipment);
  shipment.flight->discarded = true;
  release(shipment);
}

// Which of the parts a record came with: rows may have come by several paths.
const Consignment& SinkEdge::part_of(const Shipment& shipment,
                                     const OutputRecord& record) noexcept {
  for (const Consignment* part : shipment.parts) {
    for (const OutputRecord& own :
         std::ranges::equal_range(part->records, record.row, {}, &OutputRecord::row)) {
      if (own.dead_letter == record.dead_letter && own.value.data() == record.value.data() &&
          own.key.data() == record.key.data()) {
        return *part;
      }
    }
  }
  return *shipment.parts.front();
}

// What is refused without being a result has no place left to go.
void SinkEdge::refused(Shipment& shipment, std::span<const std::size_t> indexes,
                       std::string_view why) noexcept {
  if (shipment.is_copied) return discarded(shipment);  // its rows are gone
  for (const std::size_t index : indexes) {
    const OutputRecord& output = shipment.records[index];
    if (const DeadLetter* letter = output.dead_letter) {
      return failed(shipment,
                    {.message = fmt::format("an error row was refused by its sink too: {} (topic "
                                            "`{}`, partition {}, offset {})",
                                            why, letter->topic, letter->partition, letter->offset),
                     .help = "what was not delivered is read again by the next run"});
    }
    state_.refusals.add(*part_of(shipment, output).ticket->path, shipment.flight->records,
                        output.row, why);
  }
  shipment.flight->refused = true;
  discarded(shipment);
}

void Shipment::copied() noexcept { edge->copied(*this); }

void Shipment::delivered() noexcept { edge->delivered(*this); }

void Shipment::failed(Failure failure) noexcept { edge->failed(*this, std::move(failure)); }

void Shipment::discarded() noexcept { edge->discarded(*this); }

void Shipment::refused(std::span<const std::size_t> indexes, std::string_view why) noexcept {
  edge->refused(*this, indexes, why);
}

}  // namespace kaspar::engine
