// Forests and boosted trees ready to run: what ai.onnx.ml's tree ensembles become.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "nodes/model/program.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {

enum class Branch : std::uint8_t { Leq, Lt, Gte, Gt, Eq, Neq, Leaf };
enum class Aggregate : std::uint8_t { Sum, Average, Min, Max };

template <class T>
struct BranchNode {
  T threshold = 0;
  std::uint32_t feature = 0;
  std::uint32_t yes = 0, no = 0;  // nodes; of a leaf: its weights [yes, no)
  Branch branch = Branch::Leaf;
  bool missing_is_yes = false;
};

struct Weight {
  std::uint32_t target = 0;
  double value = 0;
};

struct Forest {
  std::vector<std::uint32_t> roots;
  std::vector<Weight> weights;
  std::vector<double> base;  // of each target
  std::size_t targets = 0;
  Aggregate aggregate = Aggregate::Sum;
};

/// out[row, target] of x[row, feature], as the model has the trees.
template <class T>
class TreeKernel final : public Kernel {
 public:
  TreeKernel(Forest forest, std::vector<BranchNode<T>> nodes, Register in, std::size_t columns,
             Register out, std::size_t rows)
      : forest_(std::move(forest)),
        nodes_(std::move(nodes)),
        in_(in),
        out_(out),
        columns_(columns),
        rows_(rows) {}

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t row = 0; row < rows_; ++row) {
      const T* x = memory.lanes_at<T>(in_ + row * columns_ * registers_of<T>);
      double* out = memory.lanes_at<double>(out_ + row * forest_.targets * registers_of<double>);
      for (std::size_t target = 0; target < forest_.targets; ++target) {
        std::fill_n(out + target * lanes, lanes, start());
      }
      for (const std::uint32_t root : forest_.roots) {
        for (std::size_t lane = 0; lane < memory.active(); ++lane)
          add(leaf(root, x + lane), out + lane);
      }
      finish(out);
    }
  }

 private:
  [[nodiscard]] double start() const noexcept {
    switch (forest_.aggregate) {
      case Aggregate::Min:
        return std::numeric_limits<double>::infinity();
      case Aggregate::Max:
        return -std::numeric_limits<double>::infinity();
      default:
        return 0;
    }
  }

  [[nodiscard]] const BranchNode<T>& leaf(std::uint32_t root, const T* x) const noexcept {
    const BranchNode<T>* node = &nodes_[root];
    while (node->branch != Branch::Leaf) {
      node = &nodes_[holds(*node, x[node->feature * lanes]) ? node->yes : node->no];
    }
    return *node;
  }

  static bool holds(const BranchNode<T>& node, T value) noexcept {
    if (std::isnan(value)) return node.missing_is_yes || node.branch == Branch::Neq;
    switch (node.branch) {
      case Branch::Leq:
        return value <= node.threshold;
      case Branch::Lt:
        return value < node.threshold;
      case Branch::Gte:
        return value >= node.threshold;
      case Branch::Gt:
        return value > node.threshold;
      case Branch::Eq:
        return value == node.threshold;
      case Branch::Neq:
        return value != node.threshold;
      case Branch::Leaf:
        break;
    }
    return false;
  }

  void add(const BranchNode<T>& reached, double* out) const noexcept {
    for (std::uint32_t i = reached.yes; i < reached.no; ++i) {
      const Weight& weight = forest_.weights[i];
      double& sum = out[weight.target * lanes];
      switch (forest_.aggregate) {
        case Aggregate::Min:
          sum = std::min(sum, weight.value);
          break;
        case Aggregate::Max:
          sum = std::max(sum, weight.value);
          break;
        default:
          sum += weight.value;
      }
    }
  }

  void finish(double* out) const noexcept {
    for (std::size_t target = 0; target < forest_.targets; ++target) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        double& sum = out[target * lanes + lane];
        if (forest_.aggregate == Aggregate::Average) {
          sum /= static_cast<double>(forest_.roots.size());
        }
        if (std::isinf(sum) && forest_.aggregate >= Aggregate::Min) sum = 0;  // no leaf said any
        sum += forest_.base[target];
      }
    }
  }

  Forest forest_;
  std::vector<BranchNode<T>> nodes_;
  Register in_, out_;
  std::size_t columns_, rows_;
};

/// The same for trees of f32 that ask only for an order and are summed up: packed for the kernels
/// of an instruction set. The sums are the same to the last bit.
class VectorForest final : public VectorKernel {
 public:
  /// Nothing if the trees ask for something else, or are so deep or their weights so sparse that
  /// it would not gain.
  [[nodiscard]] static std::unique_ptr<VectorForest> pack(
      const Forest& forest, const std::vector<BranchNode<float>>& nodes, Register in,
      std::size_t columns, Register out, Register scratch, std::size_t rows);
  /// The registers that the sums of `targets` need beside `out`.
  [[nodiscard]] static std::size_t scratch_registers(std::size_t targets) noexcept {
    return padded(targets) * lanes * sizeof(double) / register_bytes;
  }
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  VectorForest() = default;
  [[nodiscard]] static std::size_t padded(std::size_t targets) noexcept {
    return targets == 1 ? 1 : (targets + 3) / 4 * 4;
  }
  [[nodiscard]] bool pack_tree(const Forest& forest, const std::vector<BranchNode<float>>& nodes,
                               std::uint32_t root);
  [[nodiscard]] bool pack_leaf(const Forest& forest, const BranchNode<float>& leaf);

  Register in_ = 0, out_ = 0, scratch_ = 0;
  std::size_t columns_ = 0, rows_ = 0, targets_ = 0, width_ = 0;
  std::vector<TreeNode> nodes_;
  std::vector<std::size_t> first_;  // node of each tree
  std::vector<Tree> trees_;
  std::vector<double> weights_, base_;
  double divisor_ = 1;
};

}  // namespace kaspar::nodes
