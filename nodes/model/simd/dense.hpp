// Products of matrices.
#pragma once

#include "nodes/model/simd/kernel_table.hpp"
#include "nodes/model/simd/vector.hpp"

namespace kaspar::nodes {
namespace {

/// How many columns' sums fit in the vector registers: 32 of them with AVX-512, else 16.
#if defined(__AVX512F__)
inline constexpr size_t block_columns = 16;
inline constexpr size_t together = 1;  // vectors of an element
#elif defined(__AVX2__)
inline constexpr size_t block_columns = 6;
inline constexpr size_t together = 2;
#else
inline constexpr size_t block_columns = 4;
inline constexpr size_t together = 2;
#endif

/// As MapFunction::Relu: NaN stays.
KASPAR_INLINE Floats rectified_if(bool rectified, Floats x) noexcept {
  return rectified ? (x < 0.0F ? Floats{} : x) : x;
}

/// One row, `Columns` columns of a block, `Parts` vectors of the lanes.
template <size_t Columns, size_t Parts>
KASPAR_INLINE void product_block(const DenseProduct& p, const float* weights, const float* bias,
                                 const float* in, float* out) noexcept {
  constexpr size_t width = width_of<Floats>;
  Floats sums[Columns][Parts];
  for (size_t c = 0; c < Columns; ++c) {
    for (size_t part = 0; part < Parts; ++part) sums[c][part] = all_of<Floats>(bias[c]);
  }
  for (size_t i = 0; i < p.depth; ++i, weights += dense_block, in += all_lanes) {
    Floats x[Parts];
    for (size_t part = 0; part < Parts; ++part) x[part] = load<Floats>(in + part * width);
    for (size_t c = 0; c < Columns; ++c) {
      const Floats weight = all_of<Floats>(weights[c]);
      for (size_t part = 0; part < Parts; ++part) {
        sums[c][part] = fma(weight, x[part], sums[c][part]);
      }
    }
  }
  for (size_t c = 0; c < Columns; ++c) {
    for (size_t part = 0; part < Parts; ++part) {
      store<Floats>(out + c * all_lanes + part * width, rectified_if(p.rectified, sums[c][part]));
    }
  }
}

/// The last columns of a block, fewer than are summed up together.
template <size_t Columns, size_t Parts>
KASPAR_INLINE void product_rest(const DenseProduct& p, size_t columns, const float* weights,
                                const float* bias, const float* in, float* out) noexcept {
  if constexpr (Columns != 0) {
    if (columns == Columns) {
      product_block<Columns, Parts>(p, weights, bias, in, out);
    } else {
      product_rest<Columns - 1, Parts>(p, columns, weights, bias, in, out);
    }
  }
}

template <size_t Parts>
void product_row(const DenseProduct& p, const float* in, float* out) noexcept {
  for (size_t first = 0; first < p.columns; first += dense_block) {
    const size_t count = p.columns - first < dense_block ? p.columns - first : dense_block;
    const float* const weights = p.weights + first * p.depth;
    const float* const bias = p.bias + first;
    float* const to = out + first * all_lanes;
    size_t column = 0;
    for (; column + block_columns <= count; column += block_columns) {
      product_block<block_columns, Parts>(p, weights + column, bias + column, in,
                                          to + column * all_lanes);
    }
    product_rest<block_columns - 1, Parts>(p, count - column, weights + column, bias + column, in,
                                           to + column * all_lanes);
  }
}

/// Calls `with` for the vectors of the active lanes, some together: the offset of their lanes, and
/// how many there are by the type of the second argument.
template <size_t Parts>
struct PartCount {
  static constexpr size_t value = Parts;
};
template <class With>
KASPAR_INLINE void for_active_parts(size_t active, With with) noexcept {
  constexpr size_t width = width_of<Floats>;
  size_t lane = 0;
  if constexpr (together > 1) {
    for (; lane + width < active; lane += together * width) with(lane, PartCount<together>{});
  }
  if (lane < active) with(lane, PartCount<1>{});
}

/// Some blocks of some rows of one record: columns side by side in place of the records. The same
/// operations on the same numbers, so the same result.
template <size_t Rows, size_t Blocks>
KASPAR_INLINE void record_blocks(const DenseProduct& p, size_t first, const float* in,
                                 float* out) noexcept {
  constexpr size_t width = width_of<Floats>;
  constexpr size_t parts = dense_block / width;
  const size_t stride = p.depth * dense_block;
  const float* weights = p.weights + first * p.depth;
  Floats sums[Rows][Blocks][parts];
  for (size_t b = 0; b < Blocks; ++b) {
    for (size_t part = 0; part < parts; ++part) {
      const Floats bias = load<Floats>(p.bias + first + b * dense_block + part * width);
      for (size_t r = 0; r < Rows; ++r) sums[r][b][part] = bias;
    }
  }
  for (size_t i = 0; i < p.depth; ++i, weights += dense_block, in += all_lanes) {
    Floats x[Rows];
    for (size_t r = 0; r < Rows; ++r) x[r] = all_of<Floats>(in[r * p.depth * all_lanes]);
    for (size_t b = 0; b < Blocks; ++b) {
      for (size_t part = 0; part < parts; ++part) {
        const Floats by = load<Floats>(weights + b * stride + part * width);
        for (size_t r = 0; r < Rows; ++r) sums[r][b][part] = fma(by, x[r], sums[r][b][part]);
      }
    }
  }
  for (size_t r = 0; r < Rows; ++r, out += p.columns * all_lanes) {
    for (size_t b = 0; b < Blocks; ++b) {
      alignas(vector_bytes) float row[dense_block];
      for (size_t part = 0; part < parts; ++part) {
        store<Floats>(row + part * width, rectified_if(p.rectified, sums[r][b][part]));
      }
      const size_t column = first + b * dense_block;
      for (size_t c = 0; c < dense_block && column + c < p.columns; ++c) {
        out[(column + c) * all_lanes] = row[c];
      }
    }
  }
}

template <size_t Rows, size_t Blocks>
void record_rows(const DenseProduct& p, const float* in, float* out) noexcept {
  size_t first = 0;
  for (; first + (Blocks - 1) * dense_block < p.columns; first += Blocks * dense_block) {
    record_blocks<Rows, Blocks>(p, first, in, out);
  }
  for (; first < p.columns; first += dense_block) record_blocks<Rows, 1>(p, first, in, out);
}

/// As many sums at a time as hide how long one takes, and the registers hold.
void record_product(const DenseProduct& p, const float* in, float* out) noexcept {
#if defined(__AVX512F__)
  constexpr size_t rows = 4, blocks_of_rows = 4, blocks = 8;
#elif defined(__AVX2__)
  constexpr size_t rows = 4, blocks_of_rows = 1, blocks = 4;
#else
  constexpr size_t rows = 2, blocks_of_rows = 1, blocks = 2;
#endif
  size_t row = 0;
  for (; row + rows <= p.rows; row += rows) {
    record_rows<rows, blocks_of_rows>(p, in + row * p.depth * all_lanes,
                                      out + row * p.columns * all_lanes);
  }
  for (; row < p.rows; ++row) {
    record_rows<1, blocks>(p, in + row * p.depth * all_lanes, out + row * p.columns * all_lanes);
  }
}

/// Up to so many records are faster one by one.
inline constexpr size_t few_records = 3;

void product(const DenseProduct& p, const float* in, float* out, size_t active) noexcept {
  if (active <= few_records) {
    for (size_t lane = 0; lane < active; ++lane) record_product(p, in + lane, out + lane);
    return;
  }
  for_active_parts(active, [&](size_t lane, auto parts) {
    for (size_t row = 0; row < p.rows; ++row) {
      product_row<decltype(parts)::value>(p, in + row * p.depth * all_lanes + lane,
                                          out + row * p.columns * all_lanes + lane);
    }
  });
}

#if defined(__AVX512F__)
inline constexpr size_t computed_rows = 4;
#else
inline constexpr size_t computed_rows = 2;
#endif
inline constexpr size_t computed_columns = 4;

template <size_t Rows, size_t Columns>
KASPAR_INLINE void computed_block(const ComputedProductShape& p, const float* left,
                                  const float* right, float* out) noexcept {
  Floats sums[Rows][Columns];
  for (size_t r = 0; r < Rows; ++r) {
    for (size_t c = 0; c < Columns; ++c) sums[r][c] = Floats{};
  }
  for (size_t i = 0; i < p.depth; ++i) {
    Floats y[Columns];
    for (size_t c = 0; c < Columns; ++c) {
      y[c] = load<Floats>(right + (c * p.depth + i) * all_lanes);
    }
    for (size_t r = 0; r < Rows; ++r) {
      const Floats x = load<Floats>(left + (r * p.depth + i) * all_lanes);
      for (size_t c = 0; c < Columns; ++c) sums[r][c] = fma(x, y[c], sums[r][c]);
    }
  }
  for (size_t r = 0; r < Rows; ++r) {
    for (size_t c = 0; c < Columns; ++c) {
      store<Floats>(out + (r * p.columns + c) * all_lanes, sums[r][c]);
    }
  }
}

template <size_t Rows>
void computed_rows_of(const ComputedProductShape& p, const float* left, const float* right,
                      float* out) noexcept {
  size_t column = 0;
  for (; column + computed_columns <= p.columns; column += computed_columns) {
    computed_block<Rows, computed_columns>(p, left, right + column * p.depth * all_lanes,
                                           out + column * all_lanes);
  }
  for (; column < p.columns; ++column) {
    computed_block<Rows, 1>(p, left, right + column * p.depth * all_lanes,
                            out + column * all_lanes);
  }
}

void computed_product(const ComputedProductShape& p, const float* left, const float* right,
                      float* out, size_t active) noexcept {
  for (size_t lane = 0; lane < active; lane += width_of<Floats>) {
    size_t row = 0;
    for (; row + computed_rows <= p.rows; row += computed_rows) {
      computed_rows_of<computed_rows>(p, left + row * p.depth * all_lanes + lane, right + lane,
                                      out + row * p.columns * all_lanes + lane);
    }
    for (; row < p.rows; ++row) {
      computed_rows_of<1>(p, left + row * p.depth * all_lanes + lane, right + lane,
                          out + row * p.columns * all_lanes + lane);
    }
  }
}

}  // namespace
}  // namespace kaspar::nodes
