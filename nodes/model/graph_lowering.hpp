// From nodes to kernels, one node after the other.
#pragma once

#include <span>

#include "nodes/model/graph.hpp"
#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

/// Lowers nodes whose inputs are defined; what they know already is computed here. The node at hand
/// is afterwards the last of them.
void lower_nodes(NodeLowering& lowering, std::span<const GraphNode> nodes);

}  // namespace kaspar::nodes
