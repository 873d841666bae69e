#include "runtime/engine/chain_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <string>
#include <utility>

namespace kaspar::engine {
namespace {

std::size_t record_bytes(const OutputRecord& record) {
  std::size_t bytes = record.key.size() + record.value.size();
  for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

// The rows whose arm this is; `room` holds as many as are alive.
std::span<const Row> select_rows(const Batch& batch, Slot arm_slot, std::size_t arm,
                                 std::span<Row> room) {
  const auto* arms = batch.column(arm_slot).values<std::int64_t>();
  std::size_t count = 0;
  for (const Row row : batch.alive()) {
    if (arms[row] == static_cast<std::int64_t>(arm)) room[count++] = row;
  }
  return room.first(count);
}

}  // namespace

ChainGraph::ChainGraph(const ChainPlan& plan, std::size_t index, RunState& state,
                       const std::map<std::size_t, std::unique_ptr<SinkPort>>& ports, bool fuse)
    : plan_(plan),
      state_(state),
      stages_(std::make_unique<Stage[]>(plan.stages.size())),
      states_([count = plan.stages.size()] { return States(count); }),
      index_(index) {
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    // What is inherited belongs to other tickets too.
    assert(std::ranges::all_of(stage.writes, [&](Slot s) { return s >= plan.inherited; }));
    stages_[i].work = stage.node->make_operator(
        {.call = stage.call, .writes = stage.writes, .resource = stage.resource});
    if (!fuse) segments_.push_back({i, i + 1});
  }
  if (fuse) segments_ = plan.segments;
  if (segments_.empty()) segments_.push_back({0, 0});
  if (plan.sink) {
    sinks_.push_back(*plan.sink);
    largest_record_ = ports.at(*plan.sink)->sink->largest_record();
  }
  if (plan.best_effort) return;  // its failed rows are dropped
  for (const StagePlan& stage : plan.stages) {
    if (stage.on_error.action != ErrorPolicy::Action::Sink) continue;
    if (std::ranges::find(sinks_, stage.on_error.sink) != sinks_.end()) continue;
    sinks_.push_back(stage.on_error.sink);
  }
}

void ChainGraph::build(tbb::flow::graph& graph, tbb::flow::node_priority_t priority) {
  for (const Segment& segment : segments_) {
    nodes_.push_back(std::make_unique<Node>(
        graph, tbb::flow::unlimited,
        [this, segment](Ticket* ticket) noexcept {
          run_segment(segment, *ticket);
          return ticket;
        },
        priority));
    if (nodes_.size() > 1) tbb::flow::make_edge(*nodes_[nodes_.size() - 2], *nodes_.back());
  }
}

Ticket& ChainGraph::take_ticket(const Path& path, Flight& flight, Ticket* parent) {
  Ticket* ticket = tickets_.take([&] {
    auto made = std::make_unique<Ticket>(plan_.slots, capacity_, plan_.inherited);
    made->chain = this;
    const std::size_t count = path.sinks.size() + path.queues.size();
    made->consignments = std::make_unique<Consignment[]>(count);
    for (std::size_t i = 0; i < count; ++i) made->consignments[i].ticket = made.get();
    return made;
  });
  ticket->flight = &flight;
  ticket->path = &path;
  ticket->parent = parent;
  if (parent != nullptr) {
    for (const ColumnBinding& binding : path.input->columns) {
      ticket->batch.bind(binding.to, parent->batch.column(binding.from));
    }
  }
  return *ticket;
}

void ChainGraph::put(Ticket& ticket) {
  begun_.fetch_add(1, std::memory_order_relaxed);
  if (!taps_.empty()) taps_.see(ticket.batch, ticket.batch.alive(), std::nullopt, true);
  if (!ticket.flight->in_place) {
    waiting_.fetch_add(ticket.batch.alive().size(), std::memory_order_relaxed);
    nodes_.front()->try_put(&ticket);
    return;
  }
  for (const Segment& segment : segments_) run_segment(segment, ticket);
}

void ChainGraph::run_segment(const Segment& segment, Ticket& ticket) noexcept {
  Batch& batch = ticket.batch;
  const std::atomic<bool>& abandoned = ticket.path->lane->abandoned;
  if (segment.first == 0 && !ticket.flight->in_place) {
    waiting_.fetch_sub(batch.alive().size(), std::memory_order_relaxed);
  }
  States& states = states_.local();
  auto since = Clock::now();
  for (std::size_t i = segment.first; i < segment.last && !abandoned; ++i) {
    Stage& stage = stages_[i];
    const std::size_t rows = batch.alive().size();
    const std::size_t failed_before = batch.errors().size();
    batch.begin_stage(static_cast<std::uint32_t>(i));
    if (!batch.alive().empty()) {
      if (!states[i]) states[i] = stage.work->make_state();
      stage.work->process(batch, states[i].get());
    }
    if (plan_.sink && i + 1 == plan_.stages.size()) {
      refuse_large(batch);
      if (!state_.refusals.empty()) refuse_again(ticket);
    }
    batch.end_stage();
    const auto now = Clock::now();
    stage.count(rows, batch.alive().size(), batch.errors().size() - failed_before, now - since);
    since = now;
  }
  if (segment.last == plan_.stages.size()) complete(ticket);
}

void ChainGraph::Stage::count(std::size_t rows, std::size_t left, std::size_t failed,
                              std::chrono::nanoseconds took) noexcept {
  records_in.fetch_add(rows, std::memory_order_relaxed);
  busy.fetch_add(static_cast<std::uint64_t>(took.count()), std::memory_order_relaxed);
  if (failed != 0) errors.fetch_add(failed, std::memory_order_relaxed);
  if (rows != left + failed) filtered.fetch_add(rows - left - failed, std::memory_order_relaxed);
}

// A row that the sink would refuse fails in the `to` stage, while its dead letter can still be
// written.
void ChainGraph::refuse_large(Batch& batch) {
  for (const OutputRecord& record : batch.outputs()) {
    const std::size_t bytes = record_bytes(record);
    if (bytes <= largest_record_) continue;
    batch.fail(
        record.row, DiagnosticCode::K0908,
        fmt::format("the result has {} bytes, the sink takes at most {}", bytes, largest_record_));
  }
  std::erase_if(batch.outputs(), [&](const OutputRecord& r) { return batch.removed(r.row); });
}

// As above, where only the sink could tell: their records are read again for it.
void ChainGraph::refuse_again(Ticket& ticket) {
  Batch& batch = ticket.batch;
  for (const OutputRecord& record : batch.outputs()) {
    if (auto why = state_.refusals.find(*ticket.path, batch.records(), record.row)) {
      batch.fail(record.row, DiagnosticCode::K0908, std::move(*why));
    }
  }
  std::erase_if(batch.outputs(), [&](const OutputRecord& r) { return batch.removed(r.row); });
}

void ChainGraph::complete(Ticket& ticket) noexcept {
  const Path& path = *ticket.path;
  Flight& flight = *ticket.flight;
  const std::size_t consignments = path.sinks.size() + path.queues.size();
  for (std::size_t i = 0; i < consignments; ++i) {
    Consignment& consignment = ticket.consignments[i];
    consignment.records = {};
    consignment.dead_records.clear();
    consignment.letters.clear();
    consignment.rows.clear();
  }
  ended_.fetch_add(1, std::memory_order_relaxed);
  if (path.lane->abandoned) abandon(ticket);
  if (!ticket.batch.errors().empty()) route_errors(ticket);
  if (!taps_.empty()) taps_.see(ticket.batch, ticket.batch.alive(), plan_.arm, false);
  // The one more is this function's own: until it ends, the ticket and the flight are there.
  ticket.pending = consignments + path.next.size() + 1;
  dispatch_children(ticket);
  push_consignments(ticket);
  if (path.lane->serial) {
    if (flight.waiting.empty()) {
      flight.owner->computed(flight);
    } else {
      Ticket& following = *flight.waiting.back();
      flight.waiting.pop_back();
      following.chain->put(following);
    }
  }
  release(ticket);
}

// Stages were skipped: there is nothing to hand on.
void ChainGraph::abandon(Ticket& ticket) noexcept {
  if (plan_.best_effort) {
    counters_.best_effort_dropped += ticket.batch.alive().size();
  } else {
    ticket.flight->lost = true;
  }
  ticket.batch.keep_before(0);
  ticket.batch.outputs().clear();
}

void ChainGraph::dispatch_children(Ticket& ticket) {
  std::array<Row, max_batch_records> selected;
  for (const Path* path : ticket.path->next) {
    Ticket& child = path->chain->take_ticket(*path, *ticket.flight, &ticket);
    if (path->input->arm) {
      child.batch.reset(ticket.flight->records,
                        select_rows(ticket.batch, *plan_.arm, *path->input->arm, selected));
    } else {
      child.batch.reset(ticket.flight->records, ticket.batch.alive());
    }
    if (path->lane->serial) {
      ticket.flight->waiting.push_back(&child);
    } else {
      path->chain->put(child);
    }
  }
}

void ChainGraph::push_consignments(Ticket& ticket) {
  const Path& path = *ticket.path;
  Batch& batch = ticket.batch;
  for (std::size_t i = 0; i < path.sinks.size(); ++i) {
    Consignment& consignment = ticket.consignments[i];
    consignment.records = consignment.dead_records;
    if (i == 0 && plan_.sink) {
      if (consignment.dead_records.empty()) {
        consignment.records = batch.outputs();
      } else {
        consignment.mixed.clear();
        std::ranges::merge(batch.outputs(), consignment.dead_records,
                           std::back_inserter(consignment.mixed), {}, &OutputRecord::row,
                           &OutputRecord::row);
        consignment.records = consignment.mixed;
      }
    }
    path.sinks[i].edge->push(*ticket.flight, path.sinks[i].place, consignment);
  }
  for (std::size_t i = 0; i < path.queues.size(); ++i) {
    const auto& [outlet, input] = path.queues[i];
    Consignment& consignment = ticket.consignments[path.sinks.size() + i];
    if (input->arm) {
      consignment.rows.resize(batch.alive().size());
      consignment.rows.resize(select_rows(batch, *plan_.arm, *input->arm, consignment.rows).size());
    } else {
      consignment.rows.assign(batch.alive().begin(), batch.alive().end());
    }
    outlet.edge->push(*ticket.flight, outlet.place, consignment);
  }
}

void ChainGraph::route_errors(Ticket& ticket) {
  const Batch& batch = ticket.batch;
  std::vector<const RowError*> errors;
  errors.reserve(batch.errors().size());
  for (const RowError& error : batch.errors()) errors.push_back(&error);
  std::ranges::sort(errors, {}, [](const RowError* error) { return error->row; });
  if (!plan_.best_effort) {
    for (std::size_t i = 0; i < sinks_.size(); ++i) {
      ticket.consignments[i].letters.reserve(errors.size());  // dead records point at them
    }
  }
  tell_errors(batch, errors);
  for (const RowError* error : errors) {
    state_.errors[static_cast<std::size_t>(error->code)].fetch_add(1, std::memory_order_relaxed);
    if (plan_.best_effort) {
      ++counters_.best_effort_failed;
      continue;
    }
    switch (plan_.stages[error->stage].on_error.action) {
      case ErrorPolicy::Action::Drop:
        state_.dropped.fetch_add(1, std::memory_order_relaxed);
        break;
      case ErrorPolicy::Action::Sink:
        add_dead_letter(*error, ticket);
        break;
      case ErrorPolicy::Action::Fail:
        end_run_at(*error, ticket);
        return;
    }
  }
}

// The last ones of the batch.
void ChainGraph::tell_errors(const Batch& batch, std::span<const RowError* const> errors) {
  const auto now = std::chrono::system_clock::now();
  const auto& spans = batch.records().spans;
  for (const RowError* error : errors.last(std::min(errors.size(), ErrorRows::of_a_batch))) {
    const Record& record = batch.record(error->row);
    ErrorRow row{.time = now,
                 .code = error->code,
                 .chain = index_,
                 .stage = error->stage,
                 .offset = record.offset};
    if (record.span < spans.size()) {
      row.topic = spans[record.span].topic;
      row.partition = spans[record.span].partition;
    }
    state_.recent_errors.add(std::move(row));
  }
}

void ChainGraph::add_dead_letter(const RowError& error, Ticket& ticket) {
  const Batch& batch = ticket.batch;
  const StagePlan& stage = plan_.stages[error.stage];
  const Record& record = batch.record(error.row);
  const auto& spans = batch.records().spans;
  const auto sink = std::ranges::find(sinks_, stage.on_error.sink) - sinks_.begin();
  Consignment& consignment = ticket.consignments[static_cast<std::size_t>(sink)];
  DeadLetter& letter = consignment.letters.emplace_back();
  letter = {.stage = stage.word, .code = error.code, .message = error.message};
  letter.offset = record.offset;
  if (record.span < spans.size()) {
    letter.topic = spans[record.span].topic;
    letter.partition = spans[record.span].partition;
  }
  consignment.dead_records.push_back({.key = record.key,
                                      .value = record.value,
                                      .dead_letter = &letter,
                                      .row = error.row,
                                      .has_key = record.has_key,
                                      .has_value = record.has_value});
}

// Rows before the one that ends the run are still written; nothing after it is.
void ChainGraph::end_run_at(const RowError& error, Ticket& ticket) {
  Batch& batch = ticket.batch;
  Flight& flight = *ticket.flight;
  const StagePlan& stage = plan_.stages[error.stage];
  const Record& record = batch.record(error.row);
  std::string where;
  const auto& spans = batch.records().spans;
  if (record.span < spans.size() && !spans[record.span].topic.empty()) {
    where = fmt::format(" (topic `{}`, partition {}, offset {})", spans[record.span].topic,
                        spans[record.span].partition, record.offset);
  } else if (record.offset >= 0) {
    where = fmt::format(" (record {})", record.offset);
  }
  batch.keep_before(error.row);
  flight.lost = true;
  const auto lower = [](auto& atomic, auto value) {
    auto known = atomic.load();
    while (value < known && !atomic.compare_exchange_weak(known, value)) {
    }
  };
  lower(flight.first_bad, std::uint32_t{error.row});
  lower(ticket.path->lane->ended_at, flight.records.sequence);
  state_.fail({.status = ExitStatus::Failed,
               .message = fmt::format("{}:{}:{}: a row failed in `{}`: {}: {}{}", stage.place.file,
                                      stage.place.line, stage.place.column, stage.word,
                                      name_of(error.code), error.message, where),
               .help = "say `else drop` or `else SINK` after the stage to go on past such rows"});
}

ChainCount ChainGraph::counts() const {
  ChainCount count{.records_written = counters_.written,
                   .best_effort_failed = counters_.best_effort_failed,
                   .best_effort_dropped = counters_.best_effort_dropped};
  if (plan_.best_effort) count.best_effort_dropped += counters_.unconfirmed;
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    count.stages.push_back({.word = plan_.stages[i].word,
                            .records_in = stages_[i].records_in,
                            .errors = stages_[i].errors});
  }
  return count;
}

ChainSnapshot ChainGraph::snapshot() const {
  ChainSnapshot chain{.waiting = waiting_,
                      .unconfirmed = counters_.unconfirmed,
                      .written = counters_.written,
                      .best_effort_failed = counters_.best_effort_failed,
                      .best_effort_dropped = counters_.best_effort_dropped};
  chain.stages.reserve(plan_.stages.size());
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    const Stage& stage = stages_[i];
    chain.stages.push_back(
        {.records_in = stage.records_in,
         .filtered = stage.filtered,
         .failed = stage.errors,
         .busy = std::chrono::nanoseconds{static_cast<std::int64_t>(stage.busy.load())}});
  }
  return chain;
}

}  // namespace kaspar::engine
