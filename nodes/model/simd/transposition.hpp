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

/// Blocks of four rows and columns at a time; what is left over one by one.
bool into_lanes(const float* const* rows, size_t count, size_t columns, float* to) noexcept {
  FourInts odd{};
  size_t row = 0;
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
  return (odd[0] | odd[1] | odd[2] | odd[3]) == 0;
}

}  // namespace
}  // namespace kaspar::nodes
