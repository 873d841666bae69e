#include "runtime/engine/topology.hpp"

#include <algorithm>
#include <set>

namespace kaspar::engine {
namespace {

constexpr std::size_t ticket_budget = 4u << 20;   // bytes of columns
constexpr std::size_t flight_budget = 16u << 20;  // of all tickets of a flight

std::span<const Column> own_slots(const ChainPlan& plan) {
  return std::span(plan.slots).subspan(plan.inherited);
}

std::size_t rows_within(std::size_t budget, std::size_t bytes_of_full) {
  if (bytes_of_full <= budget) return max_batch_records;
  return std::max<std::size_t>(1, max_batch_records * budget / bytes_of_full);
}

}  // namespace

Topology::Topology(const Plan& plan, RunState& state, SinkPorts& ports, std::size_t threads,
                   std::size_t queue_bytes)
    : plan_(plan),
      state_(state),
      ports_(ports),
      slots_(threads),
      paths_(plan.chains.size()),
      detached_(plan.chains.size(), false) {
  group_queues();
  for (std::size_t i = 0; i < plan.chains.size(); ++i) add_chain(i);
  choose_capacity();
  for (auto& queue : queues_) queue->start(capacity_, queue_bytes / queues_.size());
}

bool Topology::queued(std::size_t chain) const noexcept { return queue_of_.contains(chain); }

// Branches that end in the same sink, wherever below, go through the same queue.
void Topology::group_queues() {
  const std::size_t count = plan_.chains.size();
  std::vector<std::set<std::size_t>> reached(count);  // sinks
  for (std::size_t i = count; i-- > 0;) {
    const ChainPlan& chain = plan_.chains[i];
    if (chain.sink) reached[i].insert(*chain.sink);
    for (const ChainInput& input : chain.inputs) {
      if (!input.source) reached[input.chain].insert(reached[i].begin(), reached[i].end());
    }
  }
  struct Group {
    std::vector<std::size_t> chains;
    std::set<std::size_t> sinks;
  };
  std::vector<Group> groups;
  for (std::size_t i = 0; i < count; ++i) {
    const ChainPlan& chain = plan_.chains[i];
    if (!chain.best_effort || chain.queue_rows == 0 ||
        state_.context.settings.lossless_best_effort) {
      continue;
    }
    Group joined{.chains = {i}, .sinks = reached[i]};
    std::erase_if(groups, [&](const Group& group) {
      const bool meets = std::ranges::any_of(
          group.sinks, [&](std::size_t sink) { return joined.sinks.contains(sink); });
      if (meets) {
        joined.chains.insert(joined.chains.end(), group.chains.begin(), group.chains.end());
        joined.sinks.insert(group.sinks.begin(), group.sinks.end());
      }
      return meets;
    });
    groups.push_back(std::move(joined));
  }
  for (const Group& group : groups) {
    for (const std::size_t chain : group.chains) queue_of_[chain] = queues_.size();
    queues_.push_back(std::make_unique<BranchQueue>(state_, slots_));
  }
}

void Topology::add_chain(std::size_t index) {
  const ChainPlan& plan = plan_.chains[index];
  chains_.push_back(
      std::make_unique<ChainGraph>(plan, index, state_, ports_, state_.context.settings.fuse));
  if (queued(index)) {
    BranchQueue& queue = *queues_[queue_of_.at(index)];
    Path& path = add_path(index, queue.lane(), nullptr, nullptr);
    head_of_[index] = queue.add_head(*chains_.back(), path);
    for (const ChainInput& input : plan.inputs) add_queue_input(index, input);
  } else {
    for (const ChainInput& input : plan.inputs) {
      if (input.source) {
        add_path(index, source_lane(*input.source), &input, nullptr);
        continue;
      }
      for (Path* parent : paths_[input.chain]) add_path(index, *parent->lane, &input, parent);
    }
  }
  detached_[index] =
      std::ranges::all_of(paths_[index], [](Path* path) { return path->lane->serial; });
}

Path& Topology::add_path(std::size_t index, Lane& lane, const ChainInput* input, Path* parent) {
  ChainGraph& chain = *chains_[index];
  Path& path = *lane.paths.emplace_back(std::make_unique<Path>());
  path.chain = &chain;
  path.lane = &lane;
  path.input = input;
  for (const std::size_t sink : chain.sinks()) {
    path.sinks.push_back(sink_outlet(lane, sink, chain.plan()));
  }
  if (parent != nullptr) {
    parent->next.push_back(&path);
  } else if (input != nullptr) {
    lane.roots.push_back(&path);
  }
  paths_[index].push_back(&path);
  return path;
}

void Topology::add_queue_input(std::size_t index, const ChainInput& input) {
  if (input.source) {
    Lane& lane = source_lane(*input.source);
    lane.queues.push_back({.outlet = queue_outlet(lane, index, input), .input = &input});
    return;
  }
  for (Path* parent : paths_[input.chain]) {
    parent->queues.push_back(
        {.outlet = queue_outlet(*parent->lane, index, input), .input = &input});
  }
}

Lane& Topology::source_lane(std::size_t source) {
  auto& lane = lanes_[source];
  if (!lane) lane = std::make_unique<Lane>(false, state_.abandoned);
  return *lane;
}

Outlet Topology::sink_outlet(Lane& lane, std::size_t sink, const ChainPlan& chain) {
  SinkPort& port = *ports_.at(sink);
  if (!chain.best_effort) port.best_effort = false;
  if (!lane.serial) port.queued_only = false;
  SinkEdge*& edge = sink_edges_[{&lane, sink}];
  if (edge == nullptr) {
    const std::size_t window = lane.serial ? BranchQueue::most_flights : state_.max_batches;
    auto made = std::make_unique<SinkEdge>(lane.edges.size(), window, state_, port);
    edge = made.get();
    lane.edges.push_back(std::move(made));
  }
  return {.edge = edge, .place = edge->add_place()};
}

Outlet Topology::queue_outlet(Lane& lane, std::size_t chain, const ChainInput& input) {
  const std::size_t queue = queue_of_.at(chain);
  QueueEdge*& edge = queue_edges_[{&lane, queue}];
  if (edge == nullptr) {
    const std::size_t window = lane.serial ? BranchQueue::most_flights : state_.max_batches;
    auto made = std::make_unique<QueueEdge>(lane.edges.size(), window, *queues_[queue]);
    edge = made.get();
    lane.edges.push_back(std::move(made));
  }
  return {.edge = edge, .place = edge->add_place({.head = head_of_.at(chain), .input = &input})};
}

// One capacity for all, for a row keeps its number from the source to the sink.
void Topology::choose_capacity() {
  capacity_ = max_batch_records;
  std::vector<Lane*> lanes;
  for (const auto& [source, lane] : lanes_) lanes.push_back(lane.get());
  for (const auto& queue : queues_) lanes.push_back(&queue->lane());
  for (const ChainPlan& plan : plan_.chains) {
    const std::size_t full = Batch::column_bytes(own_slots(plan), max_batch_records);
    capacity_ = std::min(capacity_, rows_within(ticket_budget, full));
  }
  const auto bytes_at = [](const Lane& lane, std::size_t rows) {
    std::size_t bytes = 0;
    for (const auto& path : lane.paths) {
      bytes += Batch::column_bytes(own_slots(path->chain->plan()), rows);
    }
    return bytes;
  };
  for (const Lane* lane : lanes) {
    capacity_ = std::min(capacity_, rows_within(flight_budget, bytes_at(*lane, max_batch_records)));
  }
  for (Lane* lane : lanes) lane->column_bytes = bytes_at(*lane, capacity_);
  for (const auto& chain : chains_) chain->set_capacity(capacity_);
}

}  // namespace kaspar::engine
