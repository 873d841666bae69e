// The kernels that are compiled for each instruction set, as functions over raw memory.
//
// Registers are as in lane_memory.hpp: an element is 16 floats side by side, one a record; only the
// first `active` of them need be computed. What a lane holds depends on that lane alone, and is
// the same whatever `active` is.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace kaspar::nodes {

/// Columns of a product are held in blocks of so many.
inline constexpr size_t dense_block = 16;
/// out [rows, columns] = in [rows, depth] · weights [depth, columns] + bias [columns]
struct DenseProduct {
  size_t rows, depth, columns;
  const float* weights;  // [blocks, depth, 16]: zeros behind the last column
  const float* bias;     // [blocks, 16]
  bool rectified;        // what is below 0 becomes 0
};
/// out [rows, columns] = left [rows, depth] · right [columns, depth] transposed
struct ComputedProductShape {
  size_t rows, depth, columns;
};

/// First registers of elements: at even distances where `list` is null.
struct ElementPlaces {
  const uint32_t* list;
  uint32_t first, step;
};

enum class MapFunction : uint8_t { Abs, Erf, Exp, Neg, Reciprocal, Relu, Sigmoid, Sqrt, Tanh };
inline constexpr size_t map_functions = 9;
enum class CombineFunction : uint8_t { Add, Sub, Mul, Div, Max, Min };
inline constexpr size_t combine_functions = 6;

/// Over the middle one of [outer, count, inner].
struct SoftmaxShape {
  size_t outer, count, inner;
};
/// Over the last one of [outer, count]; scale and bias are [count].
struct LayerNorm {
  size_t outer, count;
  float epsilon;
  const float* scale;
  const float* bias;  // null: none
};

/// What one direction of an LSTM, GRU or RNN has in common.
struct RecurrentShape {
  size_t inputs, units, steps;
  size_t out_stride;  // elements from one step's output to the next
  bool reverse;
};
/// Gates i o f with the logistic function, c and the output with tanh. Weights and bias of i o f
/// are halved, which the function makes good.
struct LstmLayer {
  RecurrentShape shape;
  const float* by_unit;  // [units, 1 + inputs + units, 4]: bias, of inputs, of last outputs
  const float* by_gate;  // [1 + inputs + units, 4, padded]
  size_t padded;         // units, up to a multiple of 16
};
/// Gates z r h. Weights and bias of z r are halved. With `linear`, the reset applies to the
/// recurrent sum, else to the last outputs.
struct GruLayer {
  RecurrentShape shape;
  const float* by_unit;  // [units, 2 + inputs + units, 3]: bias, recurrent bias of h, …
  const float* by_gate;  // [2 + inputs + units, 3, padded]
  size_t padded;         // units, up to a multiple of 16
  bool linear;
};
struct RnnLayer {
  RecurrentShape shape;
  const float* weights;  // [1 + inputs + units, units]
  bool relu;             // else tanh
};
/// Where a layer works: in [steps, inputs], hidden and cell [units], out [steps, units] at its
/// stride, scratch [2 * units].
struct RecurrentMemory {
  const float* in;
  float* hidden;
  float* cell;
  float* out;
  float* scratch;
};

/// An element of a window: its place in the input's channel, and in the kernel.
struct WindowTap {
  uint32_t from, place;
};
/// out [batch, groups, out_channels, windows] of in [batch, groups, in_channels, spatial]; window w
/// has the taps [starts[w], starts[w + 1]).
struct Convolution {
  size_t batch, groups;
  size_t in_channels, out_channels;  // of a group
  size_t spatial, kernel, windows;
  const uint32_t* starts;
  const WindowTap* taps;
  const float* weights;  // [groups, in_channels, kernel, padded]
  const float* bias;     // [groups, padded]
  size_t padded;         // out_channels, up to a multiple of 16
  bool rectified;        // what is below 0 becomes 0
};
struct Pool {
  size_t channels, spatial, windows;
  const uint32_t* starts;
  const WindowTap* taps;
};

struct SupportVectors {
  size_t vectors, columns;
  const double* support;    // [vectors, columns]
  const double* by_column;  // [columns, padded]: the same
  size_t padded;            // vectors, up to a multiple of 8
  double gamma;
};

/// Every inner node asks x[feature] <= threshold. A leaf leads to itself.
struct TreeNode {
  float threshold;   // of a leaf: infinite
  uint32_t feature;  // 16 times the column
  uint32_t child;    // where yes leads; no leads to the one behind it
  uint32_t mark;     // not 0: NaN leads to yes; of a leaf: 1 more than its row of the weights
};
struct Tree {
  const TreeNode* nodes;  // the root first
  size_t depth;
};
struct Trees {
  const Tree* trees;
  size_t count, columns;
  const double* weights;  // [leaves, width]
  size_t width;           // targets: 1, or up to a multiple of 4
};

struct KernelTable {
  void (*product)(const DenseProduct&, const float* in, float* out, size_t active);
  void (*computed_product)(const ComputedProductShape&, const float* left, const float* right,
                           float* out, size_t active);
  void (*map[map_functions])(void* registers, ElementPlaces in, ElementPlaces out, size_t count,
                             size_t active);
  void (*combine[combine_functions])(void* registers, ElementPlaces left, ElementPlaces right,
                                     ElementPlaces out, size_t count, size_t active);
  void (*convolution)(const Convolution&, const float* in, float* out, size_t active);
  void (*max_pool)(const Pool&, const float* in, float* out, size_t active);
  void (*softmax)(const SoftmaxShape&, const float* in, float* out, size_t active);
  /// Of each lane, all of them, the first of its largest of `count` elements. NaN is never larger,
  /// and nothing is larger than NaN. `places` is aligned as a register.
  void (*argmax)(const float* in, size_t count, int32_t* places);
  void (*layer_norm)(const LayerNorm&, const float* in, float* out, size_t active);
  void (*lstm)(const LstmLayer&, const RecurrentMemory&, size_t active);
  void (*gru)(const GruLayer&, const RecurrentMemory&, size_t active);
  void (*rnn)(const RnnLayer&, const RecurrentMemory&, size_t active);
  /// out[v] = exp(-gamma · |x - support[v]|²), lanes of doubles
  void (*radial)(const SupportVectors&, const double* in, double* out, size_t active);
  /// out[v] = x · support[v], lanes of doubles
  void (*dot)(const SupportVectors&, const double* in, double* out, size_t active);
  /// sums += Σ factors[i] · in[i], lanes of doubles
  void (*weighed_sum)(const double* factors, const double* in, size_t count, double* sums,
                      size_t active);
  /// sums += the weights of every tree's leaf, tree by tree: sums[lane] or sums[lane, width]
  void (*forest)(const Trees&, const float* in, double* sums, size_t active);
  /// Rows of `columns` floats into lanes: lane l of element c is rows[l][c]. Tells whether all of
  /// them are finite.
  bool (*into_lanes)(const float* const* rows, size_t count, size_t columns, float* to);
};

extern const KernelTable portable_kernels;
#if defined(__x86_64__)
extern const KernelTable avx2_kernels;
extern const KernelTable avx512_kernels;
#endif

}  // namespace kaspar::nodes
