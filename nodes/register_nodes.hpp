// The program's nodes, as the folders of nodes/ define them.
#pragma once

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {

/// Adds the descriptors of every folder of nodes/ to the registry.
void register_all(NodeRegistry& registry);

}  // namespace kaspar::nodes
