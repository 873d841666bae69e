// Which sources and sinks of a plan are used, and which are made together.
#pragma once

#include <cstddef>
#include <set>
#include <utility>
#include <vector>

#include "runtime/core/plan.hpp"

namespace kaspar::engine {

/// Endpoints of one kind are made together: all Kafka sources share a consumer.
using EndpointGroups = std::vector<std::pair<const NodeDescriptor*, std::vector<EndpointCall>>>;

/// `used`: indices into `endpoints`; groups and their members in that order.
[[nodiscard]] EndpointGroups group(const std::vector<EndpointPlan>& endpoints,
                                   const std::set<std::size_t>& used);

/// Those that some chain reads.
[[nodiscard]] std::set<std::size_t> used_sources(const Plan& plan);
/// Those that some chain writes results or dead letters to.
[[nodiscard]] std::set<std::size_t> used_sinks(const Plan& plan);

}  // namespace kaspar::engine
