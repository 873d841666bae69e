// `vector v = [a, x, …]`: scalars and vectors put one behind the other as f32.
#pragma once

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::vectorize {

[[nodiscard]] NodeDescriptor describe_vector();

}  // namespace kaspar::nodes::vectorize
