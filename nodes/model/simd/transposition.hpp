// Rows of a batch into the lanes of registers.
#pragma once

#include "nodes/model/simd/vector.hpp"

namespace kaspar::nodes {
namespace {

typedef float Four __attribute__((vector_size(16)));
typedef float UnalignedFour __attribute__((vector_size(16), aligned(4)));
typedef int32_t FourInts __attribute__((vector_size(16)));

KASPAR_INLINE Four four_at(const float* from) noexcept {
  return *reinterpret_cast<const UnalignedFour*>(from);
}

/// Not zero where a value is infinite or NaN.
KASPAR_INLINE FourInts not_finite(Four x) noexcept {
  return (reinterpret_cast<FourInts>(x) & 0x7f800000) == 0x7f800000;
}

#if defined(__AVX2__)
/// Whole vectors of rows, four columns at a time. Tells whether all are finite.
KASPAR_INLINE bool vector_into_lanes(const float* const* rows, size_t columns, float* to) noexcept {
  Ints largest{};  // without their signs, numbers are ordered as their bits
  size_t column = 0;
  for (; column + 4 <= columns; column += 4, to += 4 * all_lanes) {
    Floats fours[4];
    for (size_t k = 0; k < 4; ++k) fours[k] = fours_of(rows + k, column);
    for (const Floats& four : fours) {
      const Ints size = reinterpret_cast<Ints>(four) & 0x7fffffff;
      largest = size > largest ? size : largest;
    }
    turn_fours(fours);
    for (size_t k = 0; k < 4; ++k) store<Floats>(to + k * all_lanes, fours[k]);
  }
  int32_t most = 0;
  for (; column < columns; ++column, to += all_lanes) {
    for (size_t lane = 0; lane < width_of<Floats>; ++lane) {
      const float value = rows[lane][column];
      const int32_t size = __builtin_bit_cast(int32_t, value) & 0x7fffffff;
      most = size > most ? size : most;
      to[lane] = value;
    }
  }
  for (size_t lane = 0; lane < width_of<Floats>; ++lane) {
    most = largest[lane] > most ? largest[lane] : most;
  }
  return most < 0x7f800000;
}
#endif

/// Blocks of four rows and columns at a time; what is left over one by one.
bool into_lanes(const float* const* rows, size_t count, size_t columns, float* to) noexcept {
  FourInts odd{};
  size_t row = 0;
  bool finite = true;
#if defined(__AVX2__)
  for (; row + width_of<Floats> <= count; row += width_of<Floats>) {
    finite = vector_into_lanes(rows + row, columns, to + row) && finite;
  }
#endif
  for (; row + 4 <= count; row += 4) {
    const float* const a = rows[row];
    const float* const b = rows[row + 1];
    const float* const c = rows[row + 2];
    const float* const d = rows[row + 3];
    size_t column = 0;
    for (; column + 4 <= columns; column += 4) {
      const Four ra = four_at(a + column);
      const Four rb = four_at(b + column);
      const Four rc = four_at(c + column);
      const Four rd = four_at(d + column);
      odd |= not_finite(ra) | not_finite(rb) | not_finite(rc) | not_finite(rd);
      const Four ab_low = __builtin_shufflevector(ra, rb, 0, 4, 1, 5);
      const Four ab_high = __builtin_shufflevector(ra, rb, 2, 6, 3, 7);
      const Four cd_low = __builtin_shufflevector(rc, rd, 0, 4, 1, 5);
      const Four cd_high = __builtin_shufflevector(rc, rd, 2, 6, 3, 7);
      float* const out = to + column * all_lanes + row;
      *reinterpret_cast<Four*>(out) = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
      *reinterpret_cast<Four*>(out + all_lanes) =
          __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
      *reinterpret_cast<Four*>(out + 2 * all_lanes) =
          __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
      *reinterpret_cast<Four*>(out + 3 * all_lanes) =
          __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
    }
    for (; column < columns; ++column) {
      const Four all{a[column], b[column], c[column], d[column]};
      odd |= not_finite(all);
      *reinterpret_cast<Four*>(to + column * all_lanes + row) = all;
    }
  }
  for (; row < count; ++row) {
    for (size_t column = 0; column < columns; ++column) {
      const float value = rows[row][column];
      const Four one{value};
      odd |= not_finite(one);
      to[column * all_lanes + row] = value;
    }
  }
  return finite && (odd[0] | odd[1] | odd[2] | odd[3]) == 0;
}

}  // namespace
}  // namespace kaspar::nodes
