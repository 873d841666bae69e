// Which tensors of a graph more than one node reads.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "nodes/model/graph.hpp"

namespace kaspar::nodes {

/// The names that are read more than once, by nodes of the graph or of graphs inside it; an output
/// counts as twice. By hashes of 64 bits, of which two may be the same: a name may be called shared
/// that is not, never the other way round.
class SharedNames {
 public:
  SharedNames() = default;
  explicit SharedNames(const Graph& graph);
  [[nodiscard]] bool contains(std::string_view name) const;

 private:
  std::vector<std::uint64_t> hashes_;  // sorted
};

}  // namespace kaspar::nodes
