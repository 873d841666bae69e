// From nodes to kernels, one node after the other.
#pragma once

#include "nodes/model/graph.hpp"
#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

/// Lowers a node whose inputs are defined, which is then the one at hand; what it knows already is
/// computed here.
void lower_node(NodeLowering& lowering, const GraphNode& node);

}  // namespace kaspar::nodes
