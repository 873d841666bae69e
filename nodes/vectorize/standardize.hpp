// `standardize x using "scaler.toml"`: (x − mean) / std.
#pragma once

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::vectorize {

[[nodiscard]] NodeDescriptor describe_standardize();

}  // namespace kaspar::nodes::vectorize
