// Decision trees, walked by all records at once.
#pragma once

#include "nodes/model/simd/kernel_table.hpp"
#include "nodes/model/simd/vector.hpp"

namespace kaspar::nodes {
namespace {

/// A level of a tree: where each record goes from where it is. Nothing depends on the comparison
/// but a number, so nothing is mispredicted, and the records wait for memory together.
template <bool Missing>
KASPAR_INLINE void descend(const TreeNode* nodes, const float* in, uint32_t* at,
                           size_t count) noexcept {
  for (size_t lane = 0; lane < count; ++lane) {
    const TreeNode& node = nodes[at[lane]];
    const float x = in[node.feature + lane];
    bool yes = x <= node.threshold;
    if constexpr (Missing) yes |= __builtin_isnan(x) && node.mark != 0;
    at[lane] = node.child + static_cast<uint32_t>(!yes);
  }
}

template <bool Missing>
KASPAR_INLINE void walk_tree(const Tree& tree, const float* in, uint32_t* at,
                             size_t active) noexcept {
  for (size_t lane = 0; lane < all_lanes; ++lane) at[lane] = 0;
  if (active == all_lanes) {
    for (size_t level = 0; level < tree.depth; ++level) {
      descend<Missing>(tree.nodes, in, at, all_lanes);
    }
  } else {
    for (size_t level = 0; level < tree.depth; ++level) {
      descend<Missing>(tree.nodes, in, at, active);
    }
  }
}

typedef double AlignedEightFourDoubles __attribute__((vector_size(32), aligned(8)));

/// Sums of one target: one number a leaf.
KASPAR_INLINE void add_numbers(const Tree& tree, const double* weights, const uint32_t* at,
                               double* sums, size_t active) noexcept {
  for (size_t lane = 0; lane < active; ++lane) {
    sums[lane] += weights[tree.nodes[at[lane]].mark - 1];
  }
}

/// Sums of several targets, a record's side by side.
KASPAR_INLINE void add_rows(const Tree& tree, const double* weights, size_t width,
                            const uint32_t* at, double* sums, size_t active) noexcept {
  for (size_t lane = 0; lane < active; ++lane, sums += width) {
    const double* const row = weights + (tree.nodes[at[lane]].mark - 1) * width;
    for (size_t i = 0; i < width; i += 4) {
      auto& four = *reinterpret_cast<AlignedEightFourDoubles*>(sums + i);
      four += *reinterpret_cast<const AlignedEightFourDoubles*>(row + i);
    }
  }
}

template <bool Missing>
void sum_forest(const Trees& f, const float* in, double* sums, size_t active) noexcept {
  uint32_t at[all_lanes];
  for (size_t t = 0; t < f.count; ++t) {
    walk_tree<Missing>(f.trees[t], in, at, active);
    if (f.width == 1) {
      add_numbers(f.trees[t], f.weights, at, sums, active);
    } else {
      add_rows(f.trees[t], f.weights, f.width, at, sums, active);
    }
  }
}

void forest(const Trees& f, const float* in, double* sums, size_t active) noexcept {
  Ints odd{};
  for (size_t column = 0; column < f.columns; ++column) {
    for (size_t lane = 0; lane < active; lane += width_of<Floats>) {
      const Floats x = load<Floats>(in + column * all_lanes + lane);
      odd |= is_nan(x);
    }
  }
  int32_t any = 0;
  for (size_t i = 0; i < width_of<Floats>; ++i) any |= odd[i];
  if (any != 0) {
    sum_forest<true>(f, in, sums, active);
  } else {
    sum_forest<false>(f, in, sums, active);
  }
}

}  // namespace
}  // namespace kaspar::nodes
