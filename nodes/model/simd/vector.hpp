// Vectors as wide as the instruction set that this is compiled for has them, by the vector
// extensions of GCC and clang.
//
// Included only by what is compiled once for each instruction set. Everything has internal linkage:
// a function with a name that the linker sees could replace that of another set, and so could any
// template of the standard library that is not inlined; so none is used.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__AVX2__) || defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace kaspar::nodes {
namespace {

#if defined(__AVX512F__)
inline constexpr size_t vector_bytes = 64;
#elif defined(__AVX2__)
inline constexpr size_t vector_bytes = 32;
#else
inline constexpr size_t vector_bytes = 16;
#endif

typedef float Floats __attribute__((vector_size(vector_bytes)));
typedef int32_t Ints __attribute__((vector_size(vector_bytes)));
typedef double Doubles __attribute__((vector_size(vector_bytes)));
typedef int64_t Longs __attribute__((vector_size(vector_bytes)));

template <class V>
struct VectorTraits;
template <>
struct VectorTraits<Floats> {
  using One = float;
  using Whole = Ints;
};
template <>
struct VectorTraits<Doubles> {
  using One = double;
  using Whole = Longs;
};
template <class V>
using OneOf = typename VectorTraits<V>::One;
template <class V>
using WholeOf = typename VectorTraits<V>::Whole;

inline constexpr size_t all_lanes = 16;  // of a register
/// How many lanes a vector holds, and how many vectors hold all lanes.
template <class V>
inline constexpr size_t width_of = vector_bytes / sizeof(OneOf<V>);
template <class V>
inline constexpr size_t parts_of = all_lanes / width_of<V>;

#define KASPAR_INLINE [[gnu::always_inline]] inline

/// From memory that is aligned as a vector.
template <class V>
KASPAR_INLINE V load(const OneOf<V>* from) noexcept {
  return *reinterpret_cast<const V*>(from);
}
template <class V>
KASPAR_INLINE void store(OneOf<V>* to, V value) noexcept {
  *reinterpret_cast<V*>(to) = value;
}
template <class V>
KASPAR_INLINE V all_of(OneOf<V> value) noexcept {
  return value - V{};  // not plus: that would turn -0 into 0
}

#if defined(__AVX2__)
/// Four floats of each of some rows, four apart, side by side; the rows need no alignment.
KASPAR_INLINE Floats fours_of(const float* const* rows, size_t column) noexcept {
  const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(rows[0] + column)),
                                          _mm_loadu_ps(rows[4] + column), 1);
#if defined(__AVX512F__)
  const __m512 some =
      _mm512_insertf32x4(_mm512_castps256_ps512(low), _mm_loadu_ps(rows[8] + column), 2);
  return _mm512_insertf32x4(some, _mm_loadu_ps(rows[12] + column), 3);
#else
  return low;
#endif
}
/// Every four by four of them turned: element k of each four of rows[j] becomes element j of that
/// four of rows[k].
KASPAR_INLINE void turn_fours(Floats (&rows)[4]) noexcept {
#if defined(__AVX512F__)
  const __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[0], rows[1]));
  const __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[0], rows[1]));
  const __m512d cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[2], rows[3]));
  const __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[2], rows[3]));
  rows[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_low, cd_low));
  rows[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_low, cd_low));
  rows[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
  rows[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
#else
  const __m256d ab_low = _mm256_castps_pd(_mm256_unpacklo_ps(rows[0], rows[1]));
  const __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(rows[0], rows[1]));
  const __m256d cd_low = _mm256_castps_pd(_mm256_unpacklo_ps(rows[2], rows[3]));
  const __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(rows[2], rows[3]));
  rows[0] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_low, cd_low));
  rows[1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_low, cd_low));
  rows[2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
  rows[3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
#endif
}
#endif

/// a * b + c, rounded once where the machine can.
KASPAR_INLINE Floats fma(Floats a, Floats b, Floats c) noexcept {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_ps(a, b, c);
#else
  return a * b + c;
#endif
}
KASPAR_INLINE Doubles fma(Doubles a, Doubles b, Doubles c) noexcept {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__AVX2__)
  return _mm256_fmadd_pd(a, b, c);
#else
  return a * b + c;
#endif
}

/// b where either is NaN.
KASPAR_INLINE Floats max(Floats a, Floats b) noexcept {
#if defined(__AVX512F__)
  return _mm512_max_ps(a, b);
#elif defined(__AVX2__)
  return _mm256_max_ps(a, b);
#else
  return a > b ? a : b;
#endif
}
KASPAR_INLINE Floats min(Floats a, Floats b) noexcept {
#if defined(__AVX512F__)
  return _mm512_min_ps(a, b);
#elif defined(__AVX2__)
  return _mm256_min_ps(a, b);
#else
  return a < b ? a : b;
#endif
}
KASPAR_INLINE Doubles max(Doubles a, Doubles b) noexcept { return a > b ? a : b; }
KASPAR_INLINE Doubles min(Doubles a, Doubles b) noexcept { return a < b ? a : b; }

/// All bits where x is NaN.
KASPAR_INLINE Ints is_nan(Floats x) noexcept {
  return x != x;  // NOLINT(misc-redundant-expression)
}

KASPAR_INLINE Floats sqrt(Floats a) noexcept {
#if defined(__AVX512F__)
  return _mm512_sqrt_ps(a);
#elif defined(__AVX2__)
  return _mm256_sqrt_ps(a);
#else
  for (size_t i = 0; i < width_of<Floats>; ++i) a[i] = __builtin_sqrtf(a[i]);
  return a;
#endif
}

/// a / b for a b that is neither 0, infinite nor tiny; within 2 units in the last place.
KASPAR_INLINE Floats quotient(Floats a, Floats b) noexcept {
#if defined(__AVX512F__)
  const Floats guess = _mm512_rcp14_ps(b);
#elif defined(__AVX2__)
  const Floats guess = _mm256_rcp_ps(b);
#else
  return a / b;
#endif
#if defined(__AVX2__)
  const Floats error = fma(-b, guess, all_of<Floats>(1));
  return a * fma(guess, error, guess);
#endif
}

}  // namespace
}  // namespace kaspar::nodes
