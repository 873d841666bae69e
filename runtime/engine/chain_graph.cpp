#include "runtime/engine/chain_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "runtime/engine/source_driver.hpp"

namespace kaspar::engine {
namespace {

constexpr std::size_t column_budget = 4u << 20;

std::size_t record_bytes(const OutputRecord& record) {
  std::size_t bytes = record.key.size() + record.value.size();
  for (const Header& header : record.headers) bytes += header.name.size() + header.value.size();
  return bytes;
}

}  // namespace

std::size_t batch_capacity(const ChainPlan& chain) noexcept {
  const std::size_t full = Batch::column_bytes(chain.slots, max_batch_records);
  if (full <= column_budget) return max_batch_records;
  return std::max<std::size_t>(1, max_batch_records * column_budget / full);
}

ChainGraph::ChainGraph(const ChainPlan& plan, RunState& state,
                       const std::map<std::size_t, std::unique_ptr<SinkPort>>& ports, bool fuse)
    : plan_(plan),
      state_(state),
      capacity_(batch_capacity(plan)),
      largest_record_(ports.at(*plan.sink)->sink->largest_record()),
      stages_(std::make_unique<Stage[]>(plan.stages.size())) {
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const StagePlan& stage = plan.stages[i];
    stages_[i].work = stage.node->make_operator(
        {.call = stage.call, .writes = stage.writes, .resource = stage.resource});
    stages_[i].states =
        std::make_unique<States>([work = stages_[i].work.get()] { return work->make_state(); });
    if (!fuse) segments_.push_back({i, i + 1});
  }
  if (fuse) segments_ = plan.segments;
  edges_.push_back(std::make_unique<SinkEdge>(state, *ports.at(*plan.sink), written_));
  for (const StagePlan& stage : plan.stages) {
    if (stage.on_error.action != ErrorPolicy::Action::Sink) continue;
    if (dead_edges_.contains(stage.on_error.sink)) continue;
    dead_edges_[stage.on_error.sink] = edges_.size();
    edges_.push_back(
        std::make_unique<SinkEdge>(state, *ports.at(stage.on_error.sink), state.dead_letters));
  }
}

void ChainGraph::build(tbb::flow::graph& graph) {
  for (const Segment& segment : segments_) {
    nodes_.push_back(std::make_unique<Node>(graph, tbb::flow::unlimited,
                                            [this, segment](Ticket* ticket) noexcept {
                                              run_segment(segment, *ticket);
                                              return ticket;
                                            }));
    if (nodes_.size() > 1) tbb::flow::make_edge(*nodes_[nodes_.size() - 2], *nodes_.back());
  }
}

void ChainGraph::dispatch(Flight& flight) {
  Ticket* ticket = tickets_.take([this] {
    auto made = std::make_unique<Ticket>(plan_.slots, capacity_);
    made->chain = this;
    made->consignments = std::make_unique<Consignment[]>(edges_.size());
    for (std::size_t i = 0; i < edges_.size(); ++i) {
      made->consignments[i].ticket = made.get();
      made->consignments[i].edge = edges_[i].get();
    }
    return made;
  });
  ticket->flight = &flight;
  ticket->pending = edges_.size();
  ticket->batch.reset(flight.records);
  nodes_.front()->try_put(ticket);
}

void ChainGraph::run_segment(const Segment& segment, Ticket& ticket) noexcept {
  Batch& batch = ticket.batch;
  for (std::size_t i = segment.first; i < segment.last && !state_.abandoned; ++i) {
    Stage& stage = stages_[i];
    stage.records_in.fetch_add(batch.alive().size(), std::memory_order_relaxed);
    batch.begin_stage(static_cast<std::uint32_t>(i));
    if (!batch.alive().empty()) stage.work->process(batch, stage.states->local().get());
    if (i + 1 == plan_.stages.size()) refuse_large(ticket);
    batch.end_stage();
  }
  if (segment.last == plan_.stages.size()) complete(ticket);
}

// A row that the sink would refuse fails in the `to` stage, while its dead letter can still be
// written.
void ChainGraph::refuse_large(Ticket& ticket) {
  Batch& batch = ticket.batch;
  for (const OutputRecord& record : batch.outputs()) {
    const std::size_t bytes = record_bytes(record);
    if (bytes <= largest_record_) continue;
    batch.fail(
        record.row, DiagnosticCode::K0908,
        fmt::format("the result has {} bytes, the sink takes at most {}", bytes, largest_record_));
  }
  std::erase_if(batch.outputs(), [&](const OutputRecord& r) { return batch.removed(r.row); });
}

void ChainGraph::complete(Ticket& ticket) noexcept {
  for (std::size_t i = 0; i < edges_.size(); ++i) {
    Consignment& consignment = ticket.consignments[i];
    consignment.dead_records.clear();
    consignment.letters.clear();
    consignment.last_of_edge = false;
  }
  if (!ticket.batch.errors().empty()) route_errors(ticket);
  ticket.consignments[0].records = ticket.batch.outputs();
  for (std::size_t i = 1; i < edges_.size(); ++i) {
    ticket.consignments[i].records = ticket.consignments[i].dead_records;
  }
  // The ticket may be done and reused as soon as its last consignment is pushed.
  const std::uint64_t sequence = ticket.flight->records.sequence;
  const std::size_t edges = edges_.size();
  for (std::size_t i = 0; i < edges; ++i) edges_[i]->push(sequence, ticket.consignments[i]);
}

void ChainGraph::route_errors(Ticket& ticket) {
  const Batch& batch = ticket.batch;
  std::vector<const RowError*> errors;
  errors.reserve(batch.errors().size());
  for (const RowError& error : batch.errors()) errors.push_back(&error);
  std::ranges::sort(errors, {}, [](const RowError* error) { return error->row; });
  for (std::size_t i = 1; i < edges_.size(); ++i) {
    ticket.consignments[i].letters.reserve(errors.size());  // dead records point at them
  }
  for (const RowError* error : errors) {
    const StagePlan& stage = plan_.stages[error->stage];
    stages_[error->stage].errors.fetch_add(1, std::memory_order_relaxed);
    state_.errors[static_cast<std::size_t>(error->code)].fetch_add(1, std::memory_order_relaxed);
    if (stage.on_error.action == ErrorPolicy::Action::Drop) {
      state_.dropped.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    if (stage.on_error.action == ErrorPolicy::Action::Fail) {
      end_run_at(*error, ticket);
      return;
    }
    const Record& record = batch.record(error->row);
    const auto& spans = batch.records().spans;
    Consignment& consignment = ticket.consignments[dead_edges_.at(stage.on_error.sink)];
    DeadLetter& letter = consignment.letters.emplace_back();
    letter = {.stage = stage.word, .code = error->code, .message = error->message};
    letter.offset = record.offset;
    if (record.span < spans.size()) {
      letter.topic = spans[record.span].topic;
      letter.partition = spans[record.span].partition;
    }
    consignment.dead_records.push_back({.key = record.key,
                                        .value = record.value,
                                        .dead_letter = &letter,
                                        .row = error->row,
                                        .has_key = record.has_key,
                                        .has_value = record.has_value});
  }
}

// Rows before the one that ends the run are still written; nothing after it is.
void ChainGraph::end_run_at(const RowError& error, Ticket& ticket) {
  Batch& batch = ticket.batch;
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
  std::erase_if(batch.outputs(), [&](const OutputRecord& r) { return r.row > error.row; });
  ticket.flight->lost = true;
  for (std::size_t i = 0; i < edges_.size(); ++i) ticket.consignments[i].last_of_edge = true;
  state_.fail({.status = ExitStatus::Failed,
               .message = fmt::format("{}:{}:{}: a row failed in `{}`: {}: {}{}", stage.place.file,
                                      stage.place.line, stage.place.column, stage.word,
                                      name_of(error.code), error.message, where),
               .help = "say `else drop` or `else SINK` after the stage to go on past such rows"});
}

void ChainGraph::finish(Ticket& ticket) noexcept {
  if (ticket.pending.fetch_sub(1) != 1) return;
  Flight& flight = *ticket.flight;
  ticket.chain->tickets_.give_back(&ticket);
  if (flight.tickets.fetch_sub(1) == 1) flight.driver->finish(flight);
}

ChainCount ChainGraph::counts() const {
  ChainCount count{.records_written = written_};
  for (std::size_t i = 0; i < plan_.stages.size(); ++i) {
    count.stages.push_back({.word = plan_.stages[i].word,
                            .records_in = stages_[i].records_in,
                            .errors = stages_[i].errors});
  }
  return count;
}

}  // namespace kaspar::engine
