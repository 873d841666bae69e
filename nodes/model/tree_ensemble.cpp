// ai.onnx.ml: forests and boosted trees.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nodes/model/classifier.hpp"
#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/tree_kernels.hpp"

namespace kaspar::nodes {
namespace {

Branch branch_of(const NodeLowering& node, std::string_view mode) {
  static const std::map<std::string_view, Branch> modes{
      {"BRANCH_LEQ", Branch::Leq}, {"BRANCH_LT", Branch::Lt}, {"BRANCH_GTE", Branch::Gte},
      {"BRANCH_GT", Branch::Gt},   {"BRANCH_EQ", Branch::Eq}, {"BRANCH_NEQ", Branch::Neq},
      {"LEAF", Branch::Leaf}};
  const auto found = modes.find(mode);
  if (found == modes.end()) node.unsupported(fmt::format("with nodes of mode `{}`", mode));
  return found->second;
}

/// Of 4 bytes, that become of what a model says of a node and of a leaf's weight.
constexpr std::size_t node_elements = 16;
constexpr std::size_t weight_elements = 8;

/// The trees of a node of TreeEnsembleClassifier (`class_`) or TreeEnsembleRegressor (`target_`),
/// validated: kernels walk them without a check.
template <class T>
class ForestReader {
 public:
  ForestReader(NodeLowering& node, const std::string& prefix, std::size_t targets,
               std::size_t columns)
      : node_(node), prefix_(prefix), columns_(columns) {
    forest.targets = targets;
    read_nodes();
    read_weights();
    find_roots();
    base();
    const std::string aggregate = node.word("aggregate_function", "SUM");
    forest.aggregate = aggregate == "AVERAGE" ? Aggregate::Average
                       : aggregate == "MIN"   ? Aggregate::Min
                       : aggregate == "MAX"   ? Aggregate::Max
                                              : Aggregate::Sum;
  }

  Forest forest;
  std::vector<BranchNode<T>> nodes;
  bool one_target = true;  // all weights are for the same one
  bool all_positive = true;

 private:
  using Key = std::pair<std::int64_t, std::int64_t>;  // tree, node

  std::uint32_t place(std::int64_t tree, std::int64_t id, std::string_view what) const {
    const auto found = std::ranges::lower_bound(by_id_, Key{tree, id}, {}, &Entry::first);
    if (found == by_id_.end() || found->first != Key{tree, id}) {
      node_.damaged(fmt::format("{} names node {} of tree {}, which is not there", what, id, tree));
    }
    return found->second;
  }

  void read_nodes() {
    const auto& trees = integer_attribute(node_, "nodes_treeids");
    const auto& ids = integer_attribute(node_, "nodes_nodeids");
    const auto& features = integer_attribute(node_, "nodes_featureids");
    const Attribute* modes_attribute = node_.attribute("nodes_modes");
    if (modes_attribute == nullptr) node_.damaged("nodes without modes");
    const TextList& modes = modes_attribute->texts;
    const auto values = real_attribute(node_, "nodes_values");
    const auto& yes = integer_attribute(node_, "nodes_truenodeids");
    const auto& no = integer_attribute(node_, "nodes_falsenodeids");
    const auto& missing = integer_attribute(node_, "nodes_missing_value_tracks_true");
    const std::size_t count = trees.size();
    if (count == 0 || ids.size() != count || features.size() != count || modes.size() != count ||
        values.size() != count || yes.size() != count || no.size() != count ||
        (!missing.empty() && missing.size() != count)) {
      node_.damaged("nodes whose parts are not as many as they");
    }
    node_.charge(count, node_elements);
    by_id_.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      by_id_.emplace_back(Key{trees[i], ids[i]}, static_cast<std::uint32_t>(i));
    }
    std::ranges::sort(by_id_);
    for (std::size_t i = 1; i < count; ++i) {
      if (by_id_[i].first == by_id_[i - 1].first) node_.damaged("a tree with a node twice");
    }
    nodes.resize(count);
    child_.assign(count, false);
    for (std::size_t i = 0; i < count; ++i) {
      BranchNode<T>& to = nodes[i];
      to.branch = branch_of(node_, modes[i]);
      to.missing_is_yes = !missing.empty() && missing[i] != 0;
      if (to.branch == Branch::Leaf) continue;
      if (features[i] < 0 || static_cast<std::size_t>(features[i]) >= columns_) {
        node_.damaged(fmt::format("a tree asks for column {} of {}", features[i], columns_));
      }
      to.feature = static_cast<std::uint32_t>(features[i]);
      to.threshold = static_cast<T>(values[i]);
      to.yes = place(trees[i], yes[i], "a branch");
      to.no = place(trees[i], no[i], "a branch");
      child_[to.yes] = true;
      child_[to.no] = true;
    }
  }

  void read_weights() {
    const auto& trees = integer_attribute(node_, prefix_ + "treeids");
    const auto& ids = integer_attribute(node_, prefix_ + "nodeids");
    const auto& targets = integer_attribute(node_, prefix_ + "ids");
    const auto values = real_attribute(node_, prefix_ + "weights");
    const std::size_t count = trees.size();
    if (ids.size() != count || targets.size() != count || values.size() != count) {
      node_.damaged("weights whose parts are not as many as they");
    }
    node_.charge(count, weight_elements);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> of_leaf;  // leaf, place among the weights
    of_leaf.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t leaf = place(trees[i], ids[i], "a weight");
      // Some exporters give inner nodes weights too; nothing ever adds them.
      if (nodes[leaf].branch != Branch::Leaf) continue;
      if (targets[i] < 0 || static_cast<std::size_t>(targets[i]) >= forest.targets) {
        node_.damaged(fmt::format("a weight for target {} of {}", targets[i], forest.targets));
      }
      of_leaf.emplace_back(leaf, static_cast<std::uint32_t>(i));
      one_target = one_target && targets[i] == targets[0];
      all_positive = all_positive && values[i] >= 0;
    }
    std::ranges::sort(of_leaf);
    for (std::size_t i = 0; i < of_leaf.size();) {
      BranchNode<T>& leaf = nodes[of_leaf[i].first];
      leaf.yes = static_cast<std::uint32_t>(forest.weights.size());
      for (const std::uint32_t at = of_leaf[i].first; i < of_leaf.size() && of_leaf[i].first == at;
           ++i) {
        const std::size_t from = of_leaf[i].second;
        forest.weights.push_back({static_cast<std::uint32_t>(targets[from]), values[from]});
      }
      leaf.no = static_cast<std::uint32_t>(forest.weights.size());
    }
  }

  void find_roots() {
    for (std::size_t i = 0; i < by_id_.size();) {
      const std::int64_t tree = by_id_[i].first.first;
      const std::size_t start = i;
      std::size_t roots = 0;
      for (; i < by_id_.size() && by_id_[i].first.first == tree; ++i) {
        const std::uint32_t at = by_id_[i].second;
        if (child_[at]) continue;
        ++roots;
        forest.roots.push_back(at);
      }
      if (roots != 1) node_.damaged(fmt::format("tree {} has {} roots", tree, roots));
      if (reached_from(forest.roots.back()) != i - start) {
        node_.damaged(fmt::format("tree {} has nodes that its root does not lead to", tree));
      }
    }
  }

  /// How many nodes, each counted once. Branches may meet again: LightGBM's converter splits a set
  /// of categories into one node each, all of which lead on to the same. No way from the root may
  /// come back to where it was.
  [[nodiscard]] std::size_t reached_from(std::uint32_t root) {
    struct Step {
      std::uint32_t node = 0;
      std::uint8_t taken = 0;  // of its two branches
    };
    std::vector<Step> way{{root}};
    std::size_t count = 0;
    on_way_.resize(nodes.size(), false);
    left_.resize(nodes.size(), false);
    while (!way.empty()) {
      auto& [at, taken] = way.back();
      const BranchNode<T>& node = nodes[at];
      on_way_[at] = true;
      if (node.branch == Branch::Leaf || taken == 2) {
        on_way_[at] = false;
        left_[at] = true;
        ++count;
        way.pop_back();
        continue;
      }
      const std::uint32_t next = taken++ == 0 ? node.yes : node.no;
      if (on_way_[next]) node_.damaged("a tree whose branches lead back");
      if (!left_[next]) way.push_back({next});
    }
    return count;
  }

  void base() {
    forest.base = real_attribute(node_, "base_values");
    if (forest.base.empty()) forest.base.assign(forest.targets, 0);
    if (forest.base.size() != forest.targets && forest.base.size() != 1) {
      node_.damaged("base values that do not fit");
    }
    forest.base.resize(forest.targets, 0);
  }

  using Entry = std::pair<Key, std::uint32_t>;
  NodeLowering& node_;
  std::string prefix_;
  std::size_t columns_;
  std::vector<Entry> by_id_;
  std::vector<bool> child_;
  std::vector<bool> on_way_, left_;  // of reached_from
};

/// The sums of the trees as F64 [rows, targets].
template <class T>
Tensor sums_of(NodeLowering& node, ForestReader<T> reader, const NumberRows& x) {
  const Tensor out = node.new_tensor(
      {static_cast<std::int64_t>(x.rows), static_cast<std::int64_t>(reader.forest.targets)},
      Element::F64);
  node.computes(x.rows, 4 * reader.nodes.size());  // a way is no longer than its tree has nodes
  const Register in = node.contiguous(x.values);
  const Register first = NodeLowering::first_of(out);
  if constexpr (std::is_same_v<T, float>) {
    const std::size_t scratch = VectorForest::scratch_registers(reader.forest.targets);
    auto packed = VectorForest::pack(reader.forest, reader.nodes, in, x.columns, first,
                                     node.allocate(Element::F32, scratch), x.rows);
    if (packed != nullptr) {
      node.program().kernels.push_back(std::move(packed));
      return out;
    }
  }
  node.emit<TreeKernel<T>>(std::move(reader.forest), std::move(reader.nodes), in, x.columns, first,
                           x.rows);
  return out;
}

template <class T>
void lower_classifier(NodeLowering& node, const NumberRows& x) {
  const auto classes = classes_of(node);
  ForestReader<T> reader(node, "class_", classes->size(), x.columns);
  const bool binary = classes->size() == 2 && reader.one_target;
  if (!binary) return define_classifier(node, sums_of(node, std::move(reader), x), classes);
  // All weights are for one class; whichever that is, the sum speaks for the second one.
  const bool probability = reader.all_positive && node.word("post_transform", "NONE") != "LOGISTIC";
  if (real_attribute(node, "base_values").size() == 2) {
    reader.forest.base = {reader.forest.base[1]};
  } else {
    reader.forest.base.resize(1);
  }
  reader.forest.targets = 1;
  for (Weight& weight : reader.forest.weights) weight.target = 0;
  const Tensor sum = sums_of(node, std::move(reader), x);
  define_classifier(node, two_scores(node, sum, probability), classes);
}

template <class T>
void lower_regressor(NodeLowering& node, const NumberRows& x) {
  const std::int64_t targets = node.integer("n_targets", 1);
  if (targets < 1 || targets > 100'000) node.damaged("its number of targets");
  ForestReader<T> reader(node, "target_", static_cast<std::size_t>(targets), x.columns);
  const Tensor sums = sums_of(node, std::move(reader), x);
  node.define(0, cast_to(node, post_transformed(node, sums), Element::F32));
}

void tree_classifier(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  if (x.values.element == Element::F64) return lower_classifier<double>(node, x);
  lower_classifier<float>(node, x);
}

void tree_regressor(NodeLowering& node) {
  const NumberRows x = number_rows(node, 0);
  if (x.values.element == Element::F64) return lower_regressor<double>(node, x);
  lower_regressor<float>(node, x);
}

}  // namespace

std::span<const NamedOperator> tree_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"ai.onnx.ml.TreeEnsembleClassifier", tree_classifier},
      {"ai.onnx.ml.TreeEnsembleRegressor", tree_regressor},
  });
  return operators;
}

}  // namespace kaspar::nodes
