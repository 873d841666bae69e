// Functions of all lanes of a vector: exp, tanh, the logistic function, erf.
#pragma once

#include "nodes/model/simd/vector.hpp"

namespace kaspar::nodes {
namespace {

/// c[0] + c[1] x + … by Horner's rule.
template <size_t N, class V>
KASPAR_INLINE V polynomial(V x, const OneOf<V> (&c)[N]) noexcept {
  V sum = all_of<V>(c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) sum = fma(sum, x, all_of<V>(c[i]));
  return sum;
}

/// The whole number nearest to x, |x| < 2^22 (2^51).
template <class V>
KASPAR_INLINE V nearest(V x, WholeOf<V>& whole) noexcept {
  constexpr bool is_float = sizeof(OneOf<V>) == 4;
  constexpr OneOf<V> magic = is_float ? OneOf<V>(0x1.8p23) : OneOf<V>(0x1.8p52);
  const V shifted = x + magic;
  whole = reinterpret_cast<WholeOf<V>>(shifted) - reinterpret_cast<WholeOf<V>>(all_of<V>(magic));
  return shifted - magic;
}

/// x · 2^n where the result is normal, n within the exponents.
template <class V>
KASPAR_INLINE V scaled(V x, WholeOf<V> n) noexcept {
  constexpr int bits = sizeof(OneOf<V>) == 4 ? 23 : 52;
  constexpr int bias = sizeof(OneOf<V>) == 4 ? 127 : 1023;
  return x * reinterpret_cast<V>((n + bias) << bits);
}

/// Within 2 units in the last place where the result is normal; 0 below, infinite above.
KASPAR_INLINE Floats exp(Floats x) noexcept {
  // NaN passes min and max, and what follows.
  const Floats held = min(all_of<Floats>(89), max(all_of<Floats>(-104), x));
  Ints n;
  const Floats whole = nearest(held * 1.44269504F, n);
  Floats rest = fma(whole, all_of<Floats>(-0.693359375F), held);
  rest = fma(whole, all_of<Floats>(2.12194440e-4F), rest);
  // exp on [-ln 2 / 2, ln 2 / 2]: S. Moshier's Cephes, expf.
  constexpr float c[] = {5.0000001201e-1F, 1.6666665459e-1F, 4.1665795894e-2F,
                         8.3334519073e-3F, 1.3981999507e-3F, 1.9875691500e-4F};
  const Floats power = fma(polynomial(rest, c) * rest, rest, rest + 1.0F);
  // In two steps: 2^128 and denormal results are no normal factors.
  const Ints half = n >> 1;
  return scaled(scaled(power, half), n - half);
}

/// Within 2 units in the last place.
KASPAR_INLINE Doubles exp(Doubles x) noexcept {
  const Doubles held = min(all_of<Doubles>(710), max(all_of<Doubles>(-746), x));
  Longs n;
  const Doubles whole = nearest(held * 1.4426950408889634, n);
  Doubles rest = fma(whole, all_of<Doubles>(-0.693145751953125), held);
  rest = fma(whole, all_of<Doubles>(-1.42860682030941723212e-6), rest);
  // Taylor's series: the next term is below 2^-56.
  constexpr double c[] = {1,
                          1,
                          1.0 / 2,
                          1.0 / 6,
                          1.0 / 24,
                          1.0 / 120,
                          1.0 / 720,
                          1.0 / 5040,
                          1.0 / 40320,
                          1.0 / 362880,
                          1.0 / 3628800,
                          1.0 / 39916800,
                          1.0 / 479001600,
                          1.0 / 6227020800};
  const Doubles power = polynomial(rest, c);
  const Longs half = n >> 1;
  return scaled(scaled(power, half), n - half);
}

/// x · p(x²) / q(x²), as Eigen's generic_fast_tanh_float. |x| is held where the result is 1.
struct TanhParts {
  Floats numerator;  // without x
  Floats x;          // held
  Floats denominator;
};
KASPAR_INLINE TanhParts tanh_parts(Floats x) noexcept {
  constexpr float limit = 7.90531110763549805F;
  constexpr float p[] = {4.89352455891786e-03F, 6.37261928875436e-04F,  1.48572235717979e-05F,
                         5.12229709037114e-08F, -8.60467152213735e-11F, 2.00018790482477e-13F,
                         -2.76076847742355e-16F};
  constexpr float q[] = {4.89352518554385e-03F, 2.26843463243900e-03F, 1.18534705686654e-04F,
                         1.19825839466702e-06F};
  const Floats held = min(all_of<Floats>(limit), max(all_of<Floats>(-limit), x));
  const Floats square = held * held;
  return {polynomial(square, p), held, polynomial(square, q)};
}
/// Within 5e-7.
KASPAR_INLINE Floats tanh(Floats x) noexcept {
  const TanhParts parts = tanh_parts(x);
  return quotient(parts.x * parts.numerator, parts.denominator);
}
/// 1 / (1 + exp -2x), by its symmetry about x = 0: within 5e-7, small results only as closely.
KASPAR_INLINE Floats logistic_of_double(Floats x) noexcept {
  const TanhParts parts = tanh_parts(x);
  const Floats half = parts.x * 0.5F;
  const Floats above = quotient(half * parts.numerator, parts.denominator);
  return above + 0.5F;
}
/// 1 / (1 + exp -x), small results to all their digits.
KASPAR_INLINE Floats logistic(Floats x) noexcept { return 1.0F / (1.0F + exp(-x)); }

/// Within 3e-7. x · p(x²) / q(x²), as Eigen's generic_fast_erf_float.
KASPAR_INLINE Floats erf(Floats x) noexcept {
  constexpr float p[] = {-1.60960333262415e-02F, -2.95459980854025e-03F, -7.34990630326855e-04F,
                         -5.69250639462346e-05F, -2.10102402082508e-06F, 2.77068142495902e-08F,
                         -2.72614225801306e-10F};
  constexpr float q[] = {-1.42647390514189e-02F, -7.37332916720468e-03F, -1.68282697438203e-03F,
                         -2.13374055278905e-04F, -1.45660718464996e-05F};
  const Floats held = min(all_of<Floats>(4), max(all_of<Floats>(-4), x));
  const Floats square = held * held;
  return quotient(held * polynomial(square, p), polynomial(square, q));
}

}  // namespace
}  // namespace kaspar::nodes
