#include "nodes/model/shared_names.hpp"

#include <algorithm>
#include <functional>

namespace kaspar::nodes {
namespace {

void collect(const Graph& graph, std::vector<std::uint64_t>& reads) {
  const std::hash<std::string_view> hash;
  for (const GraphNode& node : graph.nodes) {
    for (const std::string& name : node.inputs) {
      if (!name.empty()) reads.push_back(hash(name));
    }
    for (const auto& [name, attribute] : node.attributes) {
      if (attribute.graph != nullptr) collect(*attribute.graph, reads);
    }
  }
  for (const GraphPort& port : graph.outputs) reads.insert(reads.end(), 2, hash(port.name));
}

}  // namespace

SharedNames::SharedNames(const Graph& graph) {
  collect(graph, hashes_);
  std::ranges::sort(hashes_);
  std::size_t kept = 0;
  for (std::size_t i = 0; i + 1 < hashes_.size(); ++i) {
    const bool again = hashes_[i] == hashes_[i + 1];
    if (again && (kept == 0 || hashes_[kept - 1] != hashes_[i])) hashes_[kept++] = hashes_[i];
  }
  hashes_.resize(kept);
  hashes_.shrink_to_fit();
}

bool SharedNames::contains(std::string_view name) const {
  return std::ranges::binary_search(hashes_, std::hash<std::string_view>{}(name));
}

}  // namespace kaspar::nodes
