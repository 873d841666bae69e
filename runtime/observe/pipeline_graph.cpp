#include "runtime/observe/pipeline_graph.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kaspar::observe {
namespace {

constexpr std::size_t none = static_cast<std::size_t>(-1);

std::string text_of(const Place& place) { return fmt::format("{}:{}", place.line, place.column); }

}  // namespace

// The checker numbers the arms by literals that have the streams' names as their text.
std::string arm_stream(const ChainPlan& chain, std::size_t arm) {
  if (!chain.arm || chain.stages.empty()) return {};
  for (const Operand& operand : chain.stages.back().call.operands) {
    std::vector<const Expression*> alternatives{&operand.expression};
    for (const Expression& child : operand.expression.children) alternatives.push_back(&child);
    for (const Expression* alternative : alternatives) {
      if (alternative->kind != Expression::Kind::Literal) continue;
      const auto* number = alternative->literal.get<std::int64_t>();
      if (number != nullptr && *number == static_cast<std::int64_t>(arm)) return alternative->text;
    }
  }
  return {};
}

PipelineGraph::PipelineGraph(const Plan& plan) : plan_(plan) {
  std::vector<bool> read(plan.sources.size(), false);
  std::vector<bool> written(plan.sinks.size(), false);
  for (const ChainPlan& chain : plan.chains) {
    for (const ChainInput& input : chain.inputs) {
      if (input.source) read[*input.source] = true;
    }
    if (chain.sink) written[*chain.sink] = true;
    for (const StagePlan& stage : chain.stages) {
      if (stage.on_error.action == ErrorPolicy::Action::Sink && !chain.best_effort) {
        written[stage.on_error.sink] = true;
      }
    }
  }
  const auto add_endpoint = [this](GraphNode::Kind kind, const EndpointPlan& endpoint,
                                   std::size_t index) {
    nodes_.push_back({.kind = kind,
                      .label = endpoint.name,
                      .word = std::string{endpoint.node == nullptr ? "" : endpoint.node->name},
                      .place = text_of(endpoint.place),
                      .topic = string_param(endpoint.params, "topic"),
                      .endpoint = index});
    return nodes_.size() - 1;
  };
  for (std::size_t i = 0; i < plan.sources.size(); ++i) {
    sources_.push_back(read[i] ? add_endpoint(GraphNode::Kind::Source, plan.sources[i], i) : none);
  }
  for (std::size_t i = 0; i < plan.chains.size(); ++i) heads_.push_back(add_stages(i));
  for (std::size_t i = 0; i < plan.sinks.size(); ++i) {
    sinks_.push_back(written[i] ? add_endpoint(GraphNode::Kind::Sink, plan.sinks[i], i) : none);
  }
  for (std::size_t i = 0; i < plan.chains.size(); ++i) add_chain(i);
}

// The first node of the chain; its last one goes into tails_.
std::size_t PipelineGraph::add_stages(std::size_t index) {
  const ChainPlan& chain = plan_.chains[index];
  const std::size_t head = nodes_.size();
  std::size_t first = 0;
  for (std::size_t i = 0; i < chain.stages.size(); ++i) {
    const StagePlan& stage = chain.stages[i];
    if (stage.implicit && i + 1 < chain.stages.size()) continue;
    nodes_.push_back({.label = stage.text.empty() ? stage.word : stage.text,
                      .word = stage.word,
                      .place = text_of(stage.place),
                      .chain = index,
                      .first = first,
                      .last = i + 1});
    first = i + 1;
  }
  if (nodes_.size() == head) {
    nodes_.push_back({.kind = GraphNode::Kind::Stream,
                      .label = chain.name,
                      .word = "stream",
                      .place = text_of(chain.place),
                      .chain = index});
  }
  tails_.push_back(nodes_.size() - 1);
  return head;
}

void PipelineGraph::add_chain(std::size_t index) {
  const ChainPlan& chain = plan_.chains[index];
  for (const ChainInput& input : chain.inputs) {
    GraphEdge edge{.to = heads_[index]};
    if (input.source) {
      edge.from = sources_[*input.source];
    } else {
      const ChainPlan& before = plan_.chains[input.chain];
      edge.from = tails_[input.chain];
      edge.stream = input.arm ? arm_stream(before, *input.arm) : before.name;
    }
    edges_.push_back(std::move(edge));
  }
  for (std::size_t node = heads_[index]; node < tails_[index]; ++node) {
    edges_.push_back({.from = node, .to = node + 1});
  }
  if (chain.sink) edges_.push_back({.from = tails_[index], .to = sinks_[*chain.sink]});
  if (chain.best_effort) return;
  for (std::size_t node = heads_[index]; node <= tails_[index]; ++node) {
    if (nodes_[node].kind != GraphNode::Kind::Stage) continue;
    const StagePlan& stage = chain.stages[nodes_[node].last - 1];
    if (!stage.fallible || stage.on_error.action != ErrorPolicy::Action::Sink) continue;
    edges_.push_back({.from = node, .to = sinks_[stage.on_error.sink], .errors = true});
  }
}

const GraphNode& PipelineGraph::node_of(std::size_t chain, std::size_t stage) const noexcept {
  const auto found = std::ranges::find_if(nodes_, [&](const GraphNode& node) {
    return node.kind == GraphNode::Kind::Stage && node.chain == chain && node.first <= stage &&
           stage < node.last;
  });
  return found == nodes_.end() ? nodes_.front() : *found;
}

NodeCounts PipelineGraph::counts(const GraphNode& node, const RunSnapshot& now) const {
  NodeCounts counts;
  switch (node.kind) {
    case GraphNode::Kind::Source:
      counts.in = now.records_read[node.endpoint];
      break;
    case GraphNode::Kind::Sink:
      counts.in = now.sinks[node.endpoint].records + now.sinks[node.endpoint].dead_letters;
      break;
    case GraphNode::Kind::Stream:
      break;
    case GraphNode::Kind::Stage: {
      const ChainSnapshot& chain = now.chains[node.chain];
      counts.in = chain.stages[node.first].records_in;
      for (std::size_t i = node.first; i < node.last; ++i) {
        const StageSnapshot& stage = chain.stages[i];
        counts.filtered += stage.filtered;
        counts.failed += stage.failed;
        counts.busy += std::chrono::duration<double>(stage.busy).count();
      }
      if (node.last == chain.stages.size()) counts.dropped = chain.best_effort_dropped;
      break;
    }
  }
  return counts;
}

EdgeCounts PipelineGraph::counts(const GraphEdge& edge, const RunSnapshot& now) const {
  const GraphNode& from = nodes_[edge.from];
  const GraphNode& to = nodes_[edge.to];
  const auto passed = [&](const GraphNode& node) {
    const NodeCounts counts = this->counts(node, now);
    const std::uint64_t gone = counts.filtered + counts.failed;
    return counts.in > gone ? counts.in - gone : 0;
  };
  if (edge.errors) return {.records = counts(from, now).failed};
  if (to.kind == GraphNode::Kind::Sink) {
    const ChainSnapshot& chain = now.chains[from.chain];
    return {.records = chain.written, .queue = chain.unconfirmed};
  }
  if (to.kind == GraphNode::Kind::Stream) {
    return {.records = from.kind == GraphNode::Kind::Stage ? passed(from) : counts(from, now).in};
  }
  if (from.kind == GraphNode::Kind::Stage && from.chain == to.chain)
    return {.records = passed(from)};
  const ChainSnapshot& chain = now.chains[to.chain];
  const bool merged = plan_.chains[to.chain].inputs.size() > 1;
  const std::uint64_t records = merged && from.kind == GraphNode::Kind::Stage ? passed(from)
                                : merged                                      ? counts(from, now).in
                                         : chain.stages[to.first].records_in;
  return {.records = records, .queue = merged ? 0 : chain.waiting};
}

}  // namespace kaspar::observe
