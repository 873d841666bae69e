#include "nodes/model/name_reads.hpp"

#include <algorithm>
#include <functional>
#include <random>

#include "nodes/model/graph.hpp"

namespace kaspar::nodes {

std::uint64_t name_hash(std::string_view name) noexcept {
  static const std::uint64_t factor =
      (std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) | 1;
  const std::uint64_t hash = std::hash<std::string_view>{}(name)*factor;
  return hash ^ hash >> 32;
}

void NameReads::sum_up() {
  std::ranges::sort(reads_, {}, &Reads::name);
  std::size_t kept = 0;
  for (const Reads& one : reads_) {
    if (kept == 0 || reads_[kept - 1].name != one.name) {
      reads_[kept++] = one;
      continue;
    }
    std::uint32_t& count = reads_[kept - 1].count;
    count = one.count >= for_ever - count ? for_ever : count + one.count;
  }
  reads_.resize(kept);
  reads_.shrink_to_fit();
}

std::uint32_t NameReads::of(std::uint64_t name) const noexcept {
  const auto found = std::ranges::lower_bound(reads_, name, {}, &Reads::name);
  return found != reads_.end() && found->name == name ? found->count : 0;
}

namespace {

void add_reads(const Graph& graph, bool inside, NameReads& reads) {
  for (const GraphNode& node : graph.nodes) {
    for (const std::string& name : node.inputs) {
      if (name.empty()) continue;
      if (inside) {
        reads.add_for_ever(name);
      } else {
        reads.add(name);
      }
    }
    for (const auto& [name, attribute] : node.attributes) {
      if (attribute.graph != nullptr) add_reads(*attribute.graph, true, reads);
    }
  }
  for (const GraphPort& port : graph.outputs) reads.add_for_ever(port.name);
}

}  // namespace

NameReads reads_of(const Graph& graph) {
  NameReads reads;
  add_reads(graph, false, reads);
  reads.sum_up();
  return reads;
}

}  // namespace kaspar::nodes
