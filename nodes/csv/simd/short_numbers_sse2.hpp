// Reads four short numbers at once with what every x86-64 has: two to a register, number i being
// the lane whose eight bytes end with it.
//
// As in short_numbers.hpp, except that what depends on the place of the point is looked up by the
// bits of the bytes that are one, and what is not taken is only noticed: four numbers with such a
// one among them are read by csv_number.hpp.
#pragma once

#include <emmintrin.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes/csv/csv_number.hpp"

namespace kaspar::nodes::csv {
namespace {

/// By the length of a field: its bytes. None that is longer than eight comes here.
alignas(64) inline constexpr uint64_t bytes_of_length[9]{0,
                                                         0xFF00000000000000,
                                                         0xFFFF000000000000,
                                                         0xFFFFFF0000000000,
                                                         0xFFFFFFFF00000000,
                                                         0xFFFFFFFFFF000000,
                                                         0xFFFFFFFFFFFF0000,
                                                         0xFFFFFFFFFFFFFF00,
                                                         0xFFFFFFFFFFFFFFFF};

/// By which bytes are points.
template <class T>
struct PointTables {
  uint64_t before[256];  // the bytes before the point
  T power[256];          // of ten, that divides the digits; NaN where points are two
};

template <class T>
constexpr PointTables<T> point_tables() noexcept {
  PointTables<T> made{};
  for (size_t points = 1; points < 256; ++points) made.power[points] = T(__builtin_nan(""));
  made.power[0] = 1;
  T power = 1;
  for (size_t decimals = 0; decimals < 8; ++decimals, power *= 10) {
    const size_t at = 7 - decimals;
    made.before[size_t{1} << at] = (uint64_t{1} << (8 * at)) - 1;
    made.power[size_t{1} << at] = power;
  }
  return made;
}

template <class T>
alignas(64) inline constexpr PointTables<T> by_points = point_tables<T>();

struct TwoNumbers {
  __m128i whole;     // u64: the digits, without the point
  __m128i digits;    // u64: 0 where there is none
  __m128i negative;  // i64: its sign
  __m128i beyond;    // the top bit of each byte that should be a digit and is none
  uint32_t points;   // which of the sixteen bytes are one
};

[[gnu::always_inline]] inline __m128i load_two(const uint64_t& first,
                                               const uint64_t& second) noexcept {
  const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(&first));
  return _mm_castpd_si128(
      _mm_loadh_pd(_mm_castsi128_pd(low), reinterpret_cast<const double*>(&second)));
}

template <class T>
[[gnu::always_inline]] inline TwoNumbers read_two(__m128i keep, const uint64_t* tails) noexcept {
  const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(tails));
  const __m128i first = _mm_andnot_si128(_mm_slli_epi64(keep, 8), keep);
  const __m128i minus = _mm_and_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('-')), first);
  keep = _mm_xor_si128(keep, minus);
  const __m128i point = _mm_and_si128(_mm_cmpeq_epi8(text, _mm_set1_epi8('.')), keep);
  keep = _mm_xor_si128(keep, point);
  __m128i digits = _mm_and_si128(_mm_xor_si128(text, _mm_set1_epi8('0')), keep);
  const __m128i beyond = _mm_adds_epu8(digits, _mm_set1_epi8(0x76));

  const auto points = static_cast<uint32_t>(_mm_movemask_epi8(point));
  const __m128i before =
      load_two(by_points<T>.before[points & 0xFF], by_points<T>.before[points >> 8]);
  digits = _mm_or_si128(_mm_andnot_si128(before, digits),
                        _mm_slli_epi64(_mm_and_si128(before, digits), 8));
  // 256 × (10 × low + high) + low of each pair of bytes.
  const __m128i pairs = _mm_srli_epi16(_mm_mullo_epi16(digits, _mm_set1_epi16(2561)), 8);
  const __m128i four = _mm_madd_epi16(pairs, _mm_set1_epi32(0x00010064));
  return {.whole =
              _mm_add_epi64(_mm_mul_epu32(four, _mm_set1_epi64x(10'000)), _mm_srli_epi64(four, 32)),
          .digits = _mm_sad_epu8(keep, _mm_setzero_si128()),
          .negative = _mm_sub_epi64(_mm_setzero_si128(), minus),
          .beyond = beyond,
          .points = points};
}

/// Halves of the lanes of four numbers: the low ones, or the high ones.
template <int Half>
[[gnu::always_inline]] inline __m128i halves(__m128i first, __m128i second) noexcept {
  return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(first), _mm_castsi128_ps(second),
                                         _MM_SHUFFLE(2 + Half, Half, 2 + Half, Half)));
}

/// Writes four values; false if one of them is not to be taken.
[[gnu::always_inline]] inline bool store(const TwoNumbers& first, const TwoNumbers& second,
                                         __m128i not_taken, float* values) noexcept {
  const float* const power = by_points<float>.power;
  const __m128i whole = halves<0>(first.whole, second.whole);
  const __m128 powers = _mm_movelh_ps(_mm_unpacklo_ps(_mm_load_ss(power + (first.points & 0xFF)),
                                                      _mm_load_ss(power + (first.points >> 8))),
                                      _mm_unpacklo_ps(_mm_load_ss(power + (second.points & 0xFF)),
                                                      _mm_load_ss(power + (second.points >> 8))));
  const __m128 value = _mm_div_ps(_mm_cvtepi32_ps(whole), powers);
  const __m128 negative = _mm_castsi128_ps(halves<1>(first.negative, second.negative));
  _mm_storeu_ps(values, _mm_xor_ps(value, _mm_and_ps(negative, _mm_set1_ps(-0.0F))));
  not_taken = _mm_or_si128(not_taken, _mm_cmpgt_epi32(whole, _mm_set1_epi32(1 << 24)));
  not_taken = _mm_or_si128(not_taken, _mm_castps_si128(_mm_cmpunord_ps(value, value)));
  return _mm_movemask_epi8(not_taken) == 0;
}

[[gnu::always_inline]] inline __m128d store_two(const TwoNumbers& two, double* values) noexcept {
  const double* const power = by_points<double>.power;
  const __m128d value =
      _mm_div_pd(_mm_cvtepi32_pd(halves<0>(two.whole, two.whole)),
                 _mm_loadh_pd(_mm_load_sd(power + (two.points & 0xFF)), power + (two.points >> 8)));
  const __m128d sign = _mm_and_pd(_mm_castsi128_pd(two.negative), _mm_set1_pd(-0.0));
  _mm_storeu_pd(values, _mm_xor_pd(value, sign));
  return _mm_cmpunord_pd(value, value);
}

[[gnu::always_inline]] inline bool store(const TwoNumbers& first, const TwoNumbers& second,
                                         __m128i not_taken, double* values) noexcept {
  const __m128d undefined = _mm_or_pd(store_two(first, values), store_two(second, values + 2));
  return _mm_movemask_epi8(_mm_or_si128(not_taken, _mm_castpd_si128(undefined))) == 0;
}

/// Reads four fields; false, and anything as values, if one of them is not to be taken.
template <class T>
[[gnu::always_inline]] inline bool read_four(const uint32_t* ends, const uint64_t* tails,
                                             T* values) noexcept {
  const __m128i from = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ends));
  const __m128i to = _mm_loadu_si128(reinterpret_cast<const __m128i*>(ends + 1));
  const __m128i length = _mm_sub_epi32(_mm_sub_epi32(to, from), _mm_set1_epi32(1));
  const __m128i short_ones =
      _mm_or_si128(_mm_cmpeq_epi32(_mm_srli_epi32(length, 3), _mm_setzero_si128()),
                   _mm_cmpeq_epi32(length, _mm_set1_epi32(8)));
  const __m128i bytes = _mm_and_si128(length, short_ones);
  const TwoNumbers first = read_two<T>(load_two(bytes_of_length[_mm_extract_epi16(bytes, 0)],
                                                bytes_of_length[_mm_extract_epi16(bytes, 2)]),
                                       tails);
  const TwoNumbers second = read_two<T>(load_two(bytes_of_length[_mm_extract_epi16(bytes, 4)],
                                                 bytes_of_length[_mm_extract_epi16(bytes, 6)]),
                                        tails + 2);
  const __m128i none = _mm_cmpeq_epi32(halves<0>(first.digits, second.digits), _mm_setzero_si128());
  return store(first, second, _mm_or_si128(none, _mm_or_si128(first.beyond, second.beyond)),
               values);
}

}  // namespace
}  // namespace kaspar::nodes::csv
