#include "nodes/model/tree_kernels.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::size_t deepest = 64;   // every record walks all levels
constexpr std::size_t sparsest = 16;  // numbers of a packed row for each one that is given

/// One that no number is at most.
constexpr float none = std::numeric_limits<float>::quiet_NaN();

/// x < threshold is x <= this.
float below(float threshold) noexcept {
  constexpr float lowest = -std::numeric_limits<float>::infinity();
  return threshold == lowest ? none : std::nextafter(threshold, lowest);
}

bool asks_for_order(const BranchNode<float>& node) noexcept {
  return node.branch == Branch::Leaf || (node.branch <= Branch::Gt && !std::isnan(node.threshold));
}

}  // namespace

std::unique_ptr<VectorForest> VectorForest::pack(const Forest& forest,
                                                 const std::vector<BranchNode<float>>& nodes,
                                                 Register in, std::size_t columns, Register out,
                                                 Register scratch, std::size_t rows) {
  if (forest.aggregate != Aggregate::Sum && forest.aggregate != Aggregate::Average) return nullptr;
  if (!std::ranges::all_of(nodes, asks_for_order)) return nullptr;
  std::unique_ptr<VectorForest> packed(new VectorForest);
  packed->in_ = in;
  packed->out_ = out;
  packed->scratch_ = scratch;
  packed->columns_ = columns;
  packed->rows_ = rows;
  packed->targets_ = forest.targets;
  packed->width_ = padded(forest.targets);
  packed->base_ = forest.base;
  if (forest.aggregate == Aggregate::Average) {
    packed->divisor_ = static_cast<double>(forest.roots.size());
  }
  const auto leaves =
      static_cast<std::size_t>(std::ranges::count(nodes, Branch::Leaf, &BranchNode<float>::branch));
  if (leaves * packed->width_ > sparsest * (forest.weights.size() + leaves)) return nullptr;
  for (const std::uint32_t root : forest.roots) {
    if (!packed->pack_tree(forest, nodes, root)) return nullptr;
  }
  for (std::size_t i = 0; i < packed->trees_.size(); ++i) {
    packed->trees_[i].nodes = packed->nodes_.data() + packed->first_[i];
  }
  return packed;
}

/// Level by level, the two that a node leads to side by side.
bool VectorForest::pack_tree(const Forest& forest, const std::vector<BranchNode<float>>& nodes,
                             std::uint32_t root) {
  std::vector<std::uint32_t> level{root};
  const std::size_t first = nodes_.size();
  std::size_t depth = 0;
  for (std::size_t packed = 1; !level.empty(); ++depth) {
    std::vector<std::uint32_t> next;
    for (const std::uint32_t at : level) {
      if (nodes_.size() == nodes.size()) return false;  // branches meet again: each way is packed
      const BranchNode<float>& from = nodes[at];
      const auto own = static_cast<std::uint32_t>(nodes_.size() - first);
      if (from.branch == Branch::Leaf) {
        if (!pack_leaf(forest, from)) return false;
        nodes_.push_back({.threshold = std::numeric_limits<float>::infinity(),
                          .feature = 0,
                          .child = own,
                          .mark = static_cast<std::uint32_t>(weights_.size() / width_)});
        continue;
      }
      // x > t is "not x <= t", but for NaN, whose way is told apart.
      const bool turned = from.branch == Branch::Gt || from.branch == Branch::Gte;
      const bool strict = from.branch == Branch::Lt || from.branch == Branch::Gte;
      nodes_.push_back({.threshold = strict ? below(from.threshold) : from.threshold,
                        .feature = from.feature * static_cast<std::uint32_t>(lanes),
                        .child = static_cast<std::uint32_t>(packed),
                        .mark = from.missing_is_yes != turned ? 1U : 0U});
      packed += 2;
      next.push_back(turned ? from.no : from.yes);
      next.push_back(turned ? from.yes : from.no);
    }
    level = std::move(next);
    if (depth > deepest) return false;
  }
  first_.push_back(first);
  trees_.push_back({.nodes = nullptr, .depth = depth - 1});
  return true;
}

/// False if it has two weights of a target: one after the other they need not round as their sum.
bool VectorForest::pack_leaf(const Forest& forest, const BranchNode<float>& leaf) {
  const std::size_t row = weights_.size();
  weights_.resize(row + width_);
  std::vector<bool> given(width_);
  for (std::uint32_t i = leaf.yes; i < leaf.no; ++i) {
    const Weight& weight = forest.weights[i];
    if (given[weight.target]) return false;
    given[weight.target] = true;
    weights_[row + weight.target] = weight.value;
  }
  return true;
}

void VectorForest::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  const Trees trees{.trees = trees_.data(),
                    .count = trees_.size(),
                    .columns = columns_,
                    .weights = weights_.data(),
                    .width = width_};
  double* const sums = memory.lanes_at<double>(scratch_);
  for (std::size_t row = 0; row < rows_; ++row) {
    std::fill_n(sums, width_ * lanes, 0.0);
    table.forest(trees, memory.lanes_at<float>(in_ + row * columns_), sums, memory.active());
    double* const out = memory.lanes_at<double>(out_ + row * targets_ * registers_of<double>);
    for (std::size_t target = 0; target < targets_; ++target) {
      for (std::size_t lane = 0; lane < memory.active(); ++lane) {
        const double sum = sums[lane * width_ + target];
        out[target * lanes + lane] = (divisor_ == 1 ? sum : sum / divisor_) + base_[target];
      }
    }
  }
}

}  // namespace kaspar::nodes
