// A plan as people look at it: sources, stages and sinks as nodes, and what flows between them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/plan.hpp"
#include "runtime/core/run_snapshot.hpp"

namespace kaspar::observe {

struct GraphNode {
  enum class Kind : std::uint8_t { Source, Stage, Stream, Sink };
  Kind kind = Kind::Stage;
  std::string label;  // a stage's text, an endpoint's or stream's name
  std::string word;   // a stage's word, an endpoint's kind
  std::string place;  // LINE:COLUMN
  std::string topic;  // of an endpoint on Kafka
  std::size_t chain = 0;
  std::size_t first = 0;  // stages of the chain that it stands for: those that the file does not
  std::size_t last = 0;   // have compute operands of the last one
  std::size_t endpoint = 0;
};

struct GraphEdge {
  std::size_t from = 0;  // nodes
  std::size_t to = 0;
  bool errors = false;  // rows that fail go this way
  std::string stream;   // whose rows these are, where that has a name
};

/// What a node or an edge has seen so far.
struct NodeCounts {
  std::uint64_t in = 0;
  std::uint64_t filtered = 0;
  std::uint64_t failed = 0;
  std::uint64_t dropped = 0;  // by a best-effort branch
  double busy = 0;            // seconds of threads
};
struct EdgeCounts {
  std::uint64_t records = 0;
  std::uint64_t queue = 0;  // records that wait on it now
};

class PipelineGraph {
 public:
  /// The plan outlives it.
  explicit PipelineGraph(const Plan& plan);

  [[nodiscard]] const Plan& plan() const noexcept { return plan_; }
  [[nodiscard]] const std::vector<GraphNode>& nodes() const noexcept { return nodes_; }
  [[nodiscard]] const std::vector<GraphEdge>& edges() const noexcept { return edges_; }
  /// The node of a stage.
  [[nodiscard]] const GraphNode& node_of(std::size_t chain, std::size_t stage) const noexcept;

  [[nodiscard]] NodeCounts counts(const GraphNode& node, const RunSnapshot& now) const;
  [[nodiscard]] EdgeCounts counts(const GraphEdge& edge, const RunSnapshot& now) const;

 private:
  void add_chain(std::size_t index);
  std::size_t add_stages(std::size_t index);

  const Plan& plan_;
  std::vector<GraphNode> nodes_;
  std::vector<GraphEdge> edges_;
  std::vector<std::size_t> sources_;  // nodes
  std::vector<std::size_t> sinks_;
  std::vector<std::size_t> heads_;  // of chains
  std::vector<std::size_t> tails_;
};

/// The name of a stream that a `route` sends an arm's rows to; empty where there is none.
[[nodiscard]] std::string arm_stream(const ChainPlan& chain, std::size_t arm);

}  // namespace kaspar::observe
