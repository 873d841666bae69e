// Reads eight short numbers at once: number i is the lane whose eight bytes end with it.
//
// Each lane does what csv_number.hpp does in one register: the bytes that belong to the number are
// kept, the point is taken out, pairs of digits become pairs of hundreds and so on, and one
// division by a power of ten rounds. See split.hpp for what may be used here.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "nodes/csv/simd/number_kernels.hpp"

namespace kaspar::nodes::csv {
namespace {

#if defined(__AVX2__)

inline constexpr uint64_t f32_digits = uint64_t{1} << 24;  // whole numbers that f32 holds exactly

inline uint64_t lowest_bits(size_t count) noexcept {
  return count >= 64 ? ~uint64_t{0} : (uint64_t{1} << count) - 1;
}

/// What eight fields say, as far as they are numbers.
struct EightNumbers {
  __m256i whole;     // u32: the digits, without the point
  __m256i decimals;  // u32: how many stand behind the point
  uint8_t negative;
  uint8_t refused;
};

#endif

#if defined(__AVX512BW__)

[[gnu::always_inline]] inline EightNumbers read_eight(const uint32_t* ends,
                                                      const uint64_t* tails) noexcept {
  const __m256i from = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends));
  const __m256i to = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends + 1));
  const __m512i length =
      _mm512_cvtepu32_epi64(_mm256_sub_epi32(_mm256_sub_epi32(to, from), _mm256_set1_epi32(1)));
  // All lost where no byte is kept, or more than there are.
  __m512i keep = _mm512_sllv_epi64(
      _mm512_set1_epi64(-1), _mm512_sub_epi64(_mm512_set1_epi64(64), _mm512_slli_epi64(length, 3)));
  __m512i text = _mm512_loadu_si512(tails);

  const __m512i first = _mm512_andnot_si512(_mm512_slli_epi64(keep, 8), keep);
  const __mmask8 negative =
      _mm512_testn_epi64_mask(_mm512_xor_si512(text, _mm512_set1_epi8('-')), first);
  keep = _mm512_mask_slli_epi64(keep, negative, keep, 8);
  text = _mm512_and_si512(text, keep);

  const __m512i point = _mm512_movm_epi8(_mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('.')));
  const __mmask8 pointed = _mm512_test_epi64_mask(point, point);
  const __m512i before = _mm512_andnot_si512(point, _mm512_sub_epi64(point, _mm512_set1_epi64(1)));
  const __m512i behind = _mm512_andnot_si512(_mm512_or_si512(point, before), text);
  text = _mm512_mask_or_epi64(text, pointed, behind,
                              _mm512_slli_epi64(_mm512_and_si512(text, before), 8));
  const __m512i decimals = _mm512_sad_epu8(
      _mm512_maskz_andnot_epi64(pointed, _mm512_or_si512(point, before), _mm512_set1_epi8(1)),
      _mm512_setzero_si512());
  keep = _mm512_mask_slli_epi64(keep, pointed, keep, 8);

  const __m512i digits = _mm512_and_si512(_mm512_xor_si512(text, _mm512_set1_epi8('0')), keep);
  const __m512i beyond = _mm512_subs_epu8(digits, _mm512_set1_epi8(9));
  const __m512i hundreds = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010A));
  const __m512i four = _mm512_madd_epi16(hundreds, _mm512_set1_epi32(0x00010064));
  const __m512i whole = _mm512_add_epi64(_mm512_mul_epu32(four, _mm512_set1_epi64(10'000)),
                                         _mm512_srli_epi64(four, 32));
  return {.whole = _mm512_cvtepi64_epi32(whole),
          .decimals = _mm512_cvtepi64_epi32(decimals),
          .negative = negative,
          .refused = static_cast<uint8_t>(_mm512_test_epi64_mask(beyond, beyond) |
                                          _mm512_testn_epi64_mask(keep, keep))};
}

[[gnu::always_inline]] inline uint8_t above_f32(__m256i whole) noexcept {
  return _mm256_cmpgt_epu32_mask(whole, _mm256_set1_epi32(f32_digits));
}

[[gnu::always_inline]] inline void store(const EightNumbers& read, size_t count,
                                         float* values) noexcept {
  const __m256 powers = _mm256_setr_ps(1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F);
  const __m256 value = _mm256_div_ps(_mm256_cvtepi32_ps(read.whole),
                                     _mm256_permutevar8x32_ps(powers, read.decimals));
  _mm256_mask_storeu_ps(values, static_cast<uint8_t>(lowest_bits(count)),
                        _mm256_mask_xor_ps(value, read.negative, value, _mm256_set1_ps(-0.0F)));
}

[[gnu::always_inline]] inline void store(const EightNumbers& read, size_t count,
                                         double* values) noexcept {
  const __m512d powers = _mm512_setr_pd(1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7);
  const __m512d value =
      _mm512_div_pd(_mm512_cvtepi32_pd(read.whole),
                    _mm512_permutexvar_pd(_mm512_cvtepu32_epi64(read.decimals), powers));
  _mm512_mask_storeu_pd(values, static_cast<uint8_t>(lowest_bits(count)),
                        _mm512_mask_xor_pd(value, read.negative, value, _mm512_set1_pd(-0.0)));
}

#elif defined(__AVX2__)

struct FourNumbers {
  __m256i whole, decimals;  // u64
  uint8_t negative, refused;
};

[[gnu::always_inline]] inline uint8_t lanes_of(__m256i mask) noexcept {
  return static_cast<uint8_t>(_mm256_movemask_pd(_mm256_castsi256_pd(mask)));
}

[[gnu::always_inline]] inline FourNumbers read_four(__m128i lengths,
                                                    const uint64_t* tails) noexcept {
  const __m256i none = _mm256_setzero_si256();
  const __m256i length = _mm256_cvtepu32_epi64(lengths);
  // All lost where no byte is kept, or more than there are.
  __m256i keep =
      _mm256_sllv_epi64(_mm256_set1_epi64x(-1),
                        _mm256_sub_epi64(_mm256_set1_epi64x(64), _mm256_slli_epi64(length, 3)));
  __m256i text = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tails));

  const __m256i first = _mm256_andnot_si256(_mm256_slli_epi64(keep, 8), keep);
  const __m256i negative = _mm256_cmpeq_epi64(
      _mm256_and_si256(_mm256_xor_si256(text, _mm256_set1_epi8('-')), first), none);
  keep = _mm256_blendv_epi8(keep, _mm256_slli_epi64(keep, 8), negative);
  text = _mm256_and_si256(text, keep);

  const __m256i point = _mm256_cmpeq_epi8(text, _mm256_set1_epi8('.'));
  const __m256i whole_only = _mm256_cmpeq_epi64(point, none);
  const __m256i before = _mm256_andnot_si256(
      point, _mm256_andnot_si256(whole_only, _mm256_sub_epi64(point, _mm256_set1_epi64x(1))));
  const __m256i behind = _mm256_andnot_si256(_mm256_or_si256(point, before), _mm256_set1_epi8(-1));
  text = _mm256_or_si256(_mm256_and_si256(text, behind),
                         _mm256_slli_epi64(_mm256_and_si256(text, before), 8));
  const __m256i decimals = _mm256_sad_epu8(
      _mm256_andnot_si256(whole_only, _mm256_and_si256(behind, _mm256_set1_epi8(1))), none);
  keep = _mm256_blendv_epi8(_mm256_slli_epi64(keep, 8), keep, whole_only);

  const __m256i digits = _mm256_and_si256(_mm256_xor_si256(text, _mm256_set1_epi8('0')), keep);
  const __m256i fine = _mm256_cmpeq_epi64(_mm256_subs_epu8(digits, _mm256_set1_epi8(9)), none);
  const __m256i hundreds = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010A));
  const __m256i four = _mm256_madd_epi16(hundreds, _mm256_set1_epi32(0x00010064));
  return {.whole = _mm256_add_epi64(_mm256_mul_epu32(four, _mm256_set1_epi64x(10'000)),
                                    _mm256_srli_epi64(four, 32)),
          .decimals = decimals,
          .negative = lanes_of(negative),
          .refused = lanes_of(_mm256_or_si256(_mm256_andnot_si256(fine, _mm256_set1_epi8(-1)),
                                              _mm256_cmpeq_epi64(keep, none)))};
}

/// The low halves of eight lanes.
[[gnu::always_inline]] inline __m256i low_halves(__m256i first, __m256i second) noexcept {
  const __m256i halves = _mm256_castps_si256(_mm256_shuffle_ps(
      _mm256_castsi256_ps(first), _mm256_castsi256_ps(second), _MM_SHUFFLE(2, 0, 2, 0)));
  return _mm256_permute4x64_epi64(halves, _MM_SHUFFLE(3, 1, 2, 0));
}

[[gnu::always_inline]] inline EightNumbers read_eight(const uint32_t* ends,
                                                      const uint64_t* tails) noexcept {
  const __m256i from = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends));
  const __m256i to = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(ends + 1));
  const __m256i lengths = _mm256_sub_epi32(_mm256_sub_epi32(to, from), _mm256_set1_epi32(1));
  const FourNumbers first = read_four(_mm256_castsi256_si128(lengths), tails);
  const FourNumbers second = read_four(_mm256_extracti128_si256(lengths, 1), tails + 4);
  return {.whole = low_halves(first.whole, second.whole),
          .decimals = low_halves(first.decimals, second.decimals),
          .negative = static_cast<uint8_t>(first.negative | second.negative << 4),
          .refused = static_cast<uint8_t>(first.refused | second.refused << 4)};
}

[[gnu::always_inline]] inline uint8_t above_f32(__m256i whole) noexcept {
  return static_cast<uint8_t>(_mm256_movemask_ps(
      _mm256_castsi256_ps(_mm256_cmpgt_epi32(whole, _mm256_set1_epi32(f32_digits)))));
}

/// All bits of each lane whose bit is set.
[[gnu::always_inline]] inline __m256i lane_mask(uint64_t bits) noexcept {
  const __m256i each = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  return _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(static_cast<int>(bits)), each),
                            each);
}

[[gnu::always_inline]] inline void store(const EightNumbers& read, size_t count,
                                         float* values) noexcept {
  const __m256 powers = _mm256_setr_ps(1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F, 1e6F, 1e7F);
  const __m256 value = _mm256_div_ps(_mm256_cvtepi32_ps(read.whole),
                                     _mm256_permutevar8x32_ps(powers, read.decimals));
  const __m256i sign = _mm256_and_si256(lane_mask(read.negative), _mm256_set1_epi32(INT32_MIN));
  const __m256 signed_value = _mm256_xor_ps(value, _mm256_castsi256_ps(sign));
  if (count >= 8) return _mm256_storeu_ps(values, signed_value);
  _mm256_maskstore_ps(values, lane_mask(lowest_bits(count)), signed_value);
}

[[gnu::always_inline]] inline void store_half(__m128i whole, __m128i decimals, __m128i sign,
                                              __m128i there, double* values) noexcept {
  static constexpr double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7};
  const __m256d value =
      _mm256_div_pd(_mm256_cvtepi32_pd(whole), _mm256_i32gather_pd(powers, decimals, 8));
  const __m256i wide_sign =
      _mm256_and_si256(_mm256_cvtepi32_epi64(sign), _mm256_set1_epi64x(INT64_MIN));
  _mm256_maskstore_pd(values, _mm256_cvtepi32_epi64(there),
                      _mm256_xor_pd(value, _mm256_castsi256_pd(wide_sign)));
}

[[gnu::always_inline]] inline void store(const EightNumbers& read, size_t count,
                                         double* values) noexcept {
  const __m256i sign = lane_mask(read.negative);
  const __m256i there = lane_mask(lowest_bits(count));
  store_half(_mm256_castsi256_si128(read.whole), _mm256_castsi256_si128(read.decimals),
             _mm256_castsi256_si128(sign), _mm256_castsi256_si128(there), values);
  store_half(_mm256_extracti128_si256(read.whole, 1), _mm256_extracti128_si256(read.decimals, 1),
             _mm256_extracti128_si256(sign, 1), _mm256_extracti128_si256(there, 1), values + 4);
}

#endif

#if defined(__AVX2__)

inline uint64_t read_f32(const uint32_t* ends, const uint64_t* tails, size_t count,
                         float* values) noexcept {
  uint64_t refused = 0;
  for (size_t i = 0; i < count; i += 8) {
    const EightNumbers read = read_eight(ends + i, tails + i);
    refused |= uint64_t{static_cast<uint8_t>(read.refused | above_f32(read.whole))} << i;
    store(read, count - i, values + i);
  }
  return refused & lowest_bits(count);
}

inline uint64_t read_f64(const uint32_t* ends, const uint64_t* tails, size_t count,
                         double* values) noexcept {
  uint64_t refused = 0;
  for (size_t i = 0; i < count; i += 8) {
    const EightNumbers read = read_eight(ends + i, tails + i);
    refused |= uint64_t{read.refused} << i;
    store(read, count - i, values + i);
  }
  return refused & lowest_bits(count);
}

#else

#error "the portable kernels are those of portable_numbers.cpp"

#endif

}  // namespace
}  // namespace kaspar::nodes::csv
