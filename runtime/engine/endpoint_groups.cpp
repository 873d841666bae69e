#include "runtime/engine/endpoint_groups.hpp"

#include <algorithm>

namespace kaspar::engine {

EndpointGroups group(const std::vector<EndpointPlan>& endpoints,
                     const std::set<std::size_t>& used) {
  EndpointGroups groups;
  for (const std::size_t index : used) {
    const EndpointPlan& endpoint = endpoints[index];
    auto place = std::ranges::find(groups, endpoint.node, &EndpointGroups::value_type::first);
    if (place == groups.end()) place = groups.insert(groups.end(), {endpoint.node, {}});
    place->second.push_back({.index = index,
                             .name = endpoint.name,
                             .params = endpoint.params,
                             .best_effort = endpoint.best_effort});
  }
  return groups;
}

std::set<std::size_t> used_sources(const Plan& plan) {
  std::set<std::size_t> used;
  for (const ChainPlan& chain : plan.chains) {
    for (const ChainInput& input : chain.inputs) {
      if (input.source) used.insert(*input.source);
    }
  }
  return used;
}

std::set<std::size_t> used_sinks(const Plan& plan) {
  std::set<std::size_t> used;
  for (const ChainPlan& chain : plan.chains) {
    if (chain.sink) used.insert(*chain.sink);
    for (const StagePlan& stage : chain.stages) {
      if (stage.on_error.action == ErrorPolicy::Action::Sink) used.insert(stage.on_error.sink);
    }
  }
  return used;
}

}  // namespace kaspar::engine
