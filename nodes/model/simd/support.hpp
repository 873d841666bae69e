// What support vector machines need, in doubles as LIBSVM computes them.
#pragma once

#include "nodes/model/simd/functions.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {
namespace {

inline constexpr size_t vectors_together = 4;

/// of(sum) for some support vectors, the sum of add(x, support) over the columns.
template <size_t Vectors, class Add, class Of>
KASPAR_INLINE void similarities(const SupportVectors& s, size_t vector, const double* in,
                                double* out, Add add, Of of) noexcept {
  const double* support = s.support + vector * s.columns;
  Doubles sums[Vectors];
  for (size_t v = 0; v < Vectors; ++v) sums[v] = Doubles{};
  for (size_t i = 0; i < s.columns; ++i) {
    const Doubles x = load<Doubles>(in + i * all_lanes);
    for (size_t v = 0; v < Vectors; ++v) {
      sums[v] = add(sums[v], x, all_of<Doubles>(support[v * s.columns + i]));
    }
  }
  for (size_t v = 0; v < Vectors; ++v) {
    store<Doubles>(out + (vector + v) * all_lanes, of(sums[v]));
  }
}

/// One record, with support vectors side by side in place of the records.
template <class Add, class Of>
KASPAR_INLINE void record_similarities(const SupportVectors& s, const double* in, double* out,
                                       Add add, Of of) noexcept {
  constexpr size_t width = width_of<Doubles>;
  for (size_t v = 0; v < s.padded; v += 8) {
    Doubles sums[8 / width];
    for (size_t part = 0; part < 8 / width; ++part) sums[part] = Doubles{};
    const double* support = s.by_column + v;
    for (size_t i = 0; i < s.columns; ++i, support += s.padded) {
      const Doubles x = all_of<Doubles>(in[i * all_lanes]);
      for (size_t part = 0; part < 8 / width; ++part) {
        sums[part] = add(sums[part], x, load<Doubles>(support + part * width));
      }
    }
    for (size_t part = 0; part < 8 / width; ++part) {
      const Doubles similar = of(sums[part]);
      for (size_t i = 0; i < width && v + part * width + i < s.vectors; ++i) {
        out[(v + part * width + i) * all_lanes] = similar[i];
      }
    }
  }
}

template <class Add, class Of>
KASPAR_INLINE void all_similarities(const SupportVectors& s, const double* in, double* out,
                                    size_t active, Add add, Of of) noexcept {
  if (2 * active <= width_of<Doubles>) {  // less than half a vector of records
    for (size_t lane = 0; lane < active; ++lane) {
      record_similarities(s, in + lane, out + lane, add, of);
    }
    return;
  }
  for (size_t lane = 0; lane < active; lane += width_of<Doubles>) {
    size_t v = 0;
    for (; v + vectors_together <= s.vectors; v += vectors_together) {
      similarities<vectors_together>(s, v, in + lane, out + lane, add, of);
    }
    for (; v < s.vectors; ++v) similarities<1>(s, v, in + lane, out + lane, add, of);
  }
}

void radial(const SupportVectors& s, const double* in, double* out, size_t active) noexcept {
  const double factor = -s.gamma;
  all_similarities(
      s, in, out, active,
      [](Doubles sum, Doubles x, Doubles support) {
        const Doubles apart = x - support;
        return fma(apart, apart, sum);
      },
      [factor](Doubles sum) { return exp(sum * factor); });
}

void dot(const SupportVectors& s, const double* in, double* out, size_t active) noexcept {
  all_similarities(
      s, in, out, active,
      [](Doubles sum, Doubles x, Doubles support) { return fma(x, support, sum); },
      [](Doubles sum) { return sum; });
}

void weighed_sum(const double* factors, const double* in, size_t count, double* sums,
                 size_t active) noexcept {
  for (size_t lane = 0; lane < active; lane += width_of<Doubles>) {
    Doubles sum = load<Doubles>(sums + lane);
    for (size_t i = 0; i < count; ++i) {
      sum = fma(all_of<Doubles>(factors[i]), load<Doubles>(in + i * all_lanes + lane), sum);
    }
    store<Doubles>(sums + lane, sum);
  }
}

}  // namespace
}  // namespace kaspar::nodes
