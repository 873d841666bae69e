#include "runtime/engine/branch_queue.hpp"

#include <algorithm>
#include <string>

namespace kaspar::engine {

bool WorkSlots::take() noexcept {
  std::size_t left = free;
  while (left != 0) {
    if (free.compare_exchange_weak(left, left - 1)) return true;
  }
  return false;
}

BranchQueue::BranchQueue(RunState& state, WorkSlots& slots)
    : state_(state), slots_(slots), lane_(true, state.best_effort_abandoned) {
  slots.queues.push_back(this);
}

std::size_t BranchQueue::add_head(ChainGraph& chain, const Path& path) {
  heads_.push_back({.chain = &chain, .path = &path});
  return heads_.size() - 1;
}

void BranchQueue::start(std::size_t capacity, std::size_t bytes) {
  capacity_ = capacity;
  copy_budget_ = bytes / 2;
  column_budget_ = bytes / 2;
  flight_bytes_ = DetachedFlight::base_bytes;
  for (const Head& head : heads_) {
    const ChainPlan& plan = head.chain->plan();
    flight_bytes_ += Batch::column_bytes(std::span(plan.slots).first(plan.inherited), capacity);
  }
}

void BranchQueue::admit(const Shipment& shipment, const std::vector<QueuePlace>& places) noexcept {
  const std::lock_guard lock(mutex_);
  candidates_.clear();
  for (std::uint32_t place = 0; place < shipment.parts.size(); ++place) {
    for (const Row row : shipment.parts[place]->rows) candidates_.push_back({row, place});
  }
  if (shipment.parts.size() > 1) std::ranges::sort(candidates_);
  bool room = !closed_;
  for (const Candidate& candidate : candidates_) {
    const QueuePlace& place = places[candidate.place];
    Head& head = heads_[place.head];
    if (room && head.rows < head.chain->plan().queue_rows) {
      if (add(candidate, shipment, place)) continue;
      room = false;  // later rows are the newer ones
    }
    drop(head, 1);
  }
  pump_locked();
}

bool BranchQueue::add(const Candidate& candidate, const Shipment& shipment,
                      const QueuePlace& place) {
  const Consignment& part = *shipment.parts[candidate.place];
  const RecordBatch& from = shipment.flight->records;
  const Batch* columns = part.ticket != nullptr ? &part.ticket->batch : nullptr;
  const bool begins = last_ == nullptr || !last_->takes(from);
  DetachedFlight* flight = last_;
  if (begins) {
    flight = flights_.take([this] {
      std::vector<const ChainPlan*> plans;
      for (const Head& head : heads_) plans.push_back(&head.chain->plan());
      return std::make_unique<DetachedFlight>(plans, capacity_);
    });
  }
  const std::size_t bytes =
      (begins ? flight_bytes_ : 0) +
      flight->text_bytes(place.head, from, candidate.row, columns, *place.input);
  if (flying_ != 0 && copied_ + bytes > copy_budget_) {
    if (begins) flights_.give_back(flight);
    return false;
  }
  if (begins) {
    (last_ == nullptr ? first_ : last_->behind) = flight;
    last_ = flight;
    ++flying_;
    const std::lock_guard lock(state_.mutex);
    ++state_.detached;
  }
  copied_ += bytes;
  flight->bytes += bytes;
  flight->append(place.head, from, candidate.row, columns, *place.input);
  ++heads_[place.head].rows;
  return true;
}

void BranchQueue::drop(Head& head, std::size_t rows) noexcept {
  head.chain->counters().best_effort_dropped += rows;
  if (told_ || closed_ || rows == 0) return;
  told_ = true;
  const ChainPlan& plan = head.chain->plan();
  state_.context.log.write(
      LogLevel::Warning, "best_effort_dropping",
      "a best-effort branch is too slow: its newest rows are dropped",
      {{"line", std::to_string(plan.place.line)}, {"queue", std::to_string(plan.queue_rows)}});
}

void BranchQueue::pump() noexcept {
  const std::lock_guard lock(mutex_);
  pump_locked();
}

void BranchQueue::pump_locked() noexcept {
  const auto may_run = [this] {
    if (first_ == nullptr || closed_) return false;
    if (at_work_ == 0) return true;
    return at_work_ < most_flights && (at_work_ + 1) * lane_.column_bytes <= column_budget_;
  };
  while (may_run() && slots_.take()) {
    DetachedFlight* flight = first_;
    first_ = flight->behind;
    if (first_ == nullptr) last_ = nullptr;
    flight->behind = nullptr;
    run(*flight);
  }
}

// It only spawns a task: nothing of the flight is done before the mutex is free again.
void BranchQueue::run(DetachedFlight& flight) {
  ++at_work_;
  flight.owner = this;
  flight.records.sequence = next_sequence_++;
  lane_.begin(flight);
  begin_viewing(flight, heads_.size());
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    const Head& head = heads_[i];
    Ticket& ticket = head.chain->take_ticket(*head.path, flight, nullptr);
    for (Slot slot = 0; slot < head.chain->plan().inherited; ++slot) {
      ticket.batch.bind(slot, flight.column(i, slot));
    }
    ticket.batch.reset(flight.records, flight.rows(i));
    flight.waiting.push_back(&ticket);
  }
  Ticket& ticket = *flight.waiting.back();
  flight.waiting.pop_back();
  ticket.chain->put(ticket);
}

void BranchQueue::computed(Flight&) noexcept {
  ++slots_.free;
  for (BranchQueue* queue : slots_.queues) queue->pump();
}

void BranchQueue::finish(Flight& flight) noexcept {
  const std::lock_guard lock(mutex_);
  --at_work_;
  forget(static_cast<DetachedFlight&>(flight));
  pump_locked();
}

void BranchQueue::forget(DetachedFlight& flight) noexcept {
  for (std::size_t i = 0; i < heads_.size(); ++i) heads_[i].rows -= flight.rows(i).size();
  copied_ -= flight.bytes;
  --flying_;
  flight.clear();
  flights_.give_back(&flight);
  const std::lock_guard lock(state_.mutex);
  if (--state_.detached == 0 && state_.reading == 0) state_.changed.notify_all();
}

void BranchQueue::close() noexcept {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  while (first_ != nullptr) {
    DetachedFlight* flight = std::exchange(first_, first_->behind);
    for (std::size_t i = 0; i < heads_.size(); ++i) drop(heads_[i], flight->rows(i).size());
    forget(*flight);
  }
  last_ = nullptr;
}

void QueueEdge::pass_on(Shipment& shipment) noexcept {
  queue_.admit(shipment, meanings_);
  Flight& flight = *shipment.flight;
  const std::size_t count = shipment.parts.size();
  for (std::size_t i = 0; i < count; ++i) {
    // The flight, and so the shipment, may be gone after the last one.
    Ticket* ticket = shipment.parts[i]->ticket;
    ticket != nullptr ? release(*ticket) : release_view(flight);
  }
}

}  // namespace kaspar::engine
