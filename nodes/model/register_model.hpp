// The nodes of this folder: the model format `onnx` and the stage `apply`.
#pragma once

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {

void register_model(NodeRegistry& registry);

}  // namespace kaspar::nodes
