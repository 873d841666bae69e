// The stages that compute with expressions: filter, derive, keep, route.
#pragma once

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::expression {

[[nodiscard]] NodeDescriptor describe_filter();
[[nodiscard]] NodeDescriptor describe_derive();
[[nodiscard]] NodeDescriptor describe_keep();
[[nodiscard]] NodeDescriptor describe_route();

}  // namespace kaspar::nodes::expression
