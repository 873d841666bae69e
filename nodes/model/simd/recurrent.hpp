// One direction of an LSTM, GRU or RNN with the usual activations.
//
// Formulas: https://onnx.ai/onnx/operators/, "LSTM", "GRU", "RNN". A gate's sum is added up in the
// same order everywhere: bias, inputs, last outputs.
#pragma once

#include "nodes/model/simd/dense.hpp"
#include "nodes/model/simd/functions.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {
namespace {

inline constexpr size_t lstm_gates = 4;
inline constexpr size_t gru_gates = 3;

/// The steps of a layer in their order, each with its input, the last outputs and the place of its
/// own, all from that lane on.
template <class Step>
KASPAR_INLINE void for_steps(const RecurrentShape& s, const RecurrentMemory& m, size_t lane,
                             Step step) noexcept {
  const float* last = m.hidden + lane;
  for (size_t done = 0; done < s.steps; ++done) {
    const size_t now = s.reverse ? s.steps - 1 - done : done;
    float* const out = m.out + now * s.out_stride * all_lanes + lane;
    step(m.in + now * s.inputs * all_lanes + lane, last, out);
    last = out;
  }
}

template <size_t Parts>
KASPAR_INLINE void copy_lanes(const float* from, float* to, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i) {
    for (size_t part = 0; part < Parts; ++part) {
      const size_t at = i * all_lanes + part * width_of<Floats>;
      store<Floats>(to + at, load<Floats>(from + at));
    }
  }
}
/// The last outputs, which are the state that is left.
template <size_t Parts>
KASPAR_INLINE void keep_last(const RecurrentShape& s, const RecurrentMemory& m,
                             size_t lane) noexcept {
  if (s.steps == 0) return;
  const size_t last = s.reverse ? 0 : s.steps - 1;
  copy_lanes<Parts>(m.out + last * s.out_stride * all_lanes + lane, m.hidden + lane, s.units);
}

/// sums += weights · x for `count` elements, a weight for each sum and unit.
template <size_t Units, size_t Sums, size_t Parts>
KASPAR_INLINE void accumulate(Floats (&sums)[Units][Sums][Parts], const float* weights,
                              size_t unit_stride, const float* x, size_t count) noexcept {
  for (size_t i = 0; i < count; ++i, x += all_lanes, weights += Sums) {
    Floats values[Parts];
    for (size_t p = 0; p < Parts; ++p) values[p] = load<Floats>(x + p * width_of<Floats>);
    for (size_t u = 0; u < Units; ++u) {
      for (size_t g = 0; g < Sums; ++g) {
        const Floats weight = all_of<Floats>(weights[u * unit_stride + g]);
        for (size_t p = 0; p < Parts; ++p) sums[u][g][p] = fma(weight, values[p], sums[u][g][p]);
      }
    }
  }
}

struct LstmState {
  Floats cell, output;
};
/// From the sums of i o f c and the last cell.
KASPAR_INLINE LstmState lstm_cell(Floats i, Floats o, Floats f, Floats c, Floats last) noexcept {
  const Floats fresh = logistic_of_double(i) * tanh(c);
  const Floats cell = fma(logistic_of_double(f), last, fresh);
  return {cell, logistic_of_double(o) * tanh(cell)};
}

template <size_t Units, size_t Parts>
KASPAR_INLINE void lstm_units(const LstmLayer& l, size_t unit, const float* in, const float* last,
                              float* cells, float* out) noexcept {
  const RecurrentShape& s = l.shape;
  const size_t stride = (1 + s.inputs + s.units) * lstm_gates;
  const float* weights = l.by_unit + unit * stride;
  Floats sums[Units][lstm_gates][Parts];
  for (size_t u = 0; u < Units; ++u) {
    for (size_t g = 0; g < lstm_gates; ++g) {
      for (size_t p = 0; p < Parts; ++p) sums[u][g][p] = all_of<Floats>(weights[u * stride + g]);
    }
  }
  weights += lstm_gates;
  accumulate(sums, weights, stride, in, s.inputs);
  accumulate(sums, weights + s.inputs * lstm_gates, stride, last, s.units);
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) {
      const size_t at = (unit + u) * all_lanes + p * width_of<Floats>;
      const LstmState state = lstm_cell(sums[u][0][p], sums[u][1][p], sums[u][2][p], sums[u][3][p],
                                        load<Floats>(cells + at));
      store<Floats>(cells + at, state.cell);
      store<Floats>(out + at, state.output);
    }
  }
}

#if defined(__AVX512F__)
inline constexpr size_t units_together = 4;
#else
inline constexpr size_t units_together = 1;
#endif

template <size_t Parts>
void lstm_lanes(const LstmLayer& l, const RecurrentMemory& m, size_t lane) noexcept {
  const size_t units = l.shape.units;
  for_steps(l.shape, m, lane, [&](const float* in, const float* last, float* out) {
    size_t unit = 0;
    for (; unit + units_together <= units; unit += units_together) {
      lstm_units<units_together, Parts>(l, unit, in, last, m.cell + lane, out);
    }
    if constexpr (units_together > 2) {
      for (; unit + 2 <= units; unit += 2) {
        lstm_units<2, Parts>(l, unit, in, last, m.cell + lane, out);
      }
    }
    for (; unit < units; ++unit) lstm_units<1, Parts>(l, unit, in, last, m.cell + lane, out);
  });
  keep_last<Parts>(l.shape, m, lane);
}

/// The gates of as many units as a vector has lanes, of one record.
KASPAR_INLINE LstmState lstm_record_units(const LstmLayer& l, size_t unit, const float* in,
                                          const float* last, const float* cells) noexcept {
  const RecurrentShape& s = l.shape;
  const size_t row = l.padded;
  const float* weights = l.by_gate + unit;
  Floats sums[lstm_gates];
  for (size_t g = 0; g < lstm_gates; ++g) sums[g] = load<Floats>(weights + g * row);
  for (size_t i = 0; i < s.inputs; ++i) {
    weights += lstm_gates * row;
    const Floats x = all_of<Floats>(in[i * all_lanes]);
    for (size_t g = 0; g < lstm_gates; ++g)
      sums[g] = fma(load<Floats>(weights + g * row), x, sums[g]);
  }
  for (size_t i = 0; i < s.units; ++i) {
    weights += lstm_gates * row;
    const Floats x = all_of<Floats>(last[i]);
    for (size_t g = 0; g < lstm_gates; ++g)
      sums[g] = fma(load<Floats>(weights + g * row), x, sums[g]);
  }
  return lstm_cell(sums[0], sums[1], sums[2], sums[3], load<Floats>(cells + unit));
}

/// One record: its units side by side in place of the records. The same operations on the same
/// numbers, so the same result.
void lstm_record(const LstmLayer& l, const RecurrentMemory& m, size_t lane) noexcept {
  const RecurrentShape& s = l.shape;
  float* last = m.scratch;
  float* next = m.scratch + l.padded;
  float* const cells = m.scratch + 2 * l.padded;
  for (size_t u = 0; u < l.padded; ++u) {
    last[u] = u < s.units ? m.hidden[u * all_lanes + lane] : 0;
    cells[u] = u < s.units ? m.cell[u * all_lanes + lane] : 0;
  }
  for (size_t done = 0; done < s.steps; ++done) {
    const size_t now = s.reverse ? s.steps - 1 - done : done;
    const float* const in = m.in + now * s.inputs * all_lanes + lane;
    for (size_t unit = 0; unit < s.units; unit += width_of<Floats>) {
      const LstmState state = lstm_record_units(l, unit, in, last, cells);
      store<Floats>(cells + unit, state.cell);
      store<Floats>(next + unit, state.output);
    }
    float* const out = m.out + now * s.out_stride * all_lanes + lane;
    for (size_t u = 0; u < s.units; ++u) out[u * all_lanes] = next[u];
    float* const swapped = last;
    last = next;
    next = swapped;
  }
  for (size_t u = 0; u < s.units; ++u) {
    m.hidden[u * all_lanes + lane] = last[u];
    m.cell[u * all_lanes + lane] = cells[u];
  }
}

void lstm(const LstmLayer& l, const RecurrentMemory& m, size_t active) noexcept {
  if (active <= few_records) {
    for (size_t lane = 0; lane < active; ++lane) lstm_record(l, m, lane);
    return;
  }
  for_active_parts(
      active, [&](size_t lane, auto parts) { lstm_lanes<decltype(parts)::value>(l, m, lane); });
}

template <size_t Units, size_t Parts>
KASPAR_INLINE void gru_units(const GruLayer& l, size_t unit, const float* in, const float* last,
                             float* scratch, float* out) noexcept {
  const RecurrentShape& s = l.shape;
  const size_t stride = (2 + s.inputs + s.units) * gru_gates;
  const float* weights = l.by_unit + unit * stride;
  Floats sums[Units][gru_gates][Parts];
  Floats recurrent[Units][gru_gates][Parts];
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) {
      for (size_t g = 0; g < gru_gates; ++g)
        sums[u][g][p] = all_of<Floats>(weights[u * stride + g]);
    }
  }
  accumulate(sums, weights + 2 * gru_gates, stride, in, s.inputs);
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) {
      recurrent[u][0][p] = sums[u][0][p];
      recurrent[u][1][p] = sums[u][1][p];
      recurrent[u][2][p] = all_of<Floats>(weights[u * stride + gru_gates]);
    }
  }
  accumulate(recurrent, weights + (2 + s.inputs) * gru_gates, stride, last, s.units);
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) {
      const size_t at = (unit + u) * all_lanes + p * width_of<Floats>;
      const Floats update = logistic_of_double(recurrent[u][0][p]);
      const Floats reset = logistic_of_double(recurrent[u][1][p]);
      const Floats before = load<Floats>(last + at);
      if (l.linear) {
        const Floats fresh = tanh(fma(reset, recurrent[u][2][p], sums[u][2][p]));
        store<Floats>(out + at, fma(update, before, (1.0F - update) * fresh));
      } else {  // the candidate needs the resets of all units: see gru_candidates
        store<Floats>(scratch + at, reset * before);
        store<Floats>(scratch + s.units * all_lanes + at, update);
        store<Floats>(out + at, sums[u][2][p]);
      }
    }
  }
}

/// Where the reset applies to the last outputs: `out` holds the sums so far.
template <size_t Parts>
KASPAR_INLINE void gru_candidates(const GruLayer& l, const float* last, const float* scratch,
                                  float* out) noexcept {
  const RecurrentShape& s = l.shape;
  const size_t stride = (2 + s.inputs + s.units) * gru_gates;
  for (size_t unit = 0; unit < s.units; ++unit) {
    const float* const weights = l.by_unit + unit * stride + (2 + s.inputs) * gru_gates + 2;
    for (size_t p = 0; p < Parts; ++p) {
      const size_t lane = p * width_of<Floats>;
      const size_t at = unit * all_lanes + lane;
      Floats sum = load<Floats>(out + at);
      for (size_t i = 0; i < s.units; ++i) {
        sum = fma(all_of<Floats>(weights[i * gru_gates]),
                  load<Floats>(scratch + i * all_lanes + lane), sum);
      }
      const Floats update = load<Floats>(scratch + s.units * all_lanes + at);
      store<Floats>(out + at, fma(update, load<Floats>(last + at), (1.0F - update) * tanh(sum)));
    }
  }
}

template <size_t Parts>
void gru_lanes(const GruLayer& l, const RecurrentMemory& m, size_t lane) noexcept {
  constexpr size_t units_at_once = units_together > 2 ? 2 : 1;
  const size_t units = l.shape.units;
  float* const scratch = m.scratch + lane;
  for_steps(l.shape, m, lane, [&](const float* in, const float* last, float* out) {
    size_t unit = 0;
    for (; unit + units_at_once <= units; unit += units_at_once) {
      gru_units<units_at_once, Parts>(l, unit, in, last, scratch, out);
    }
    for (; unit < units; ++unit) gru_units<1, Parts>(l, unit, in, last, scratch, out);
    if (!l.linear) gru_candidates<Parts>(l, last, scratch, out);
  });
  keep_last<Parts>(l.shape, m, lane);
}

/// As many units of one record as a vector has lanes, the reset within the recurrent sum.
KASPAR_INLINE Floats gru_record_units(const GruLayer& l, size_t unit, const float* in,
                                      const float* last) noexcept {
  const RecurrentShape& s = l.shape;
  const size_t row = l.padded;
  const float* weights = l.by_gate + unit;
  Floats sums[gru_gates];
  for (size_t g = 0; g < gru_gates; ++g) sums[g] = load<Floats>(weights + g * row);
  weights += gru_gates * row;
  Floats recurrent = load<Floats>(weights);
  for (size_t i = 0; i < s.inputs; ++i) {
    weights += gru_gates * row;
    const Floats x = all_of<Floats>(in[i * all_lanes]);
    for (size_t g = 0; g < gru_gates; ++g) {
      sums[g] = fma(load<Floats>(weights + g * row), x, sums[g]);
    }
  }
  for (size_t i = 0; i < s.units; ++i) {
    weights += gru_gates * row;
    const Floats x = all_of<Floats>(last[i]);
    sums[0] = fma(load<Floats>(weights), x, sums[0]);
    sums[1] = fma(load<Floats>(weights + row), x, sums[1]);
    recurrent = fma(load<Floats>(weights + 2 * row), x, recurrent);
  }
  const Floats update = logistic_of_double(sums[0]);
  const Floats fresh = tanh(fma(logistic_of_double(sums[1]), recurrent, sums[2]));
  return fma(update, load<Floats>(last + unit), (1.0F - update) * fresh);
}

/// One record: its units side by side in place of the records, as in lstm_record.
void gru_record(const GruLayer& l, const RecurrentMemory& m, size_t lane) noexcept {
  const RecurrentShape& s = l.shape;
  float* last = m.scratch;
  float* next = m.scratch + l.padded;
  for (size_t u = 0; u < l.padded; ++u) last[u] = u < s.units ? m.hidden[u * all_lanes + lane] : 0;
  for (size_t done = 0; done < s.steps; ++done) {
    const size_t now = s.reverse ? s.steps - 1 - done : done;
    const float* const in = m.in + now * s.inputs * all_lanes + lane;
    for (size_t unit = 0; unit < s.units; unit += width_of<Floats>) {
      store<Floats>(next + unit, gru_record_units(l, unit, in, last));
    }
    float* const out = m.out + now * s.out_stride * all_lanes + lane;
    for (size_t u = 0; u < s.units; ++u) out[u * all_lanes] = next[u];
    float* const swapped = last;
    last = next;
    next = swapped;
  }
  for (size_t u = 0; u < s.units; ++u) m.hidden[u * all_lanes + lane] = last[u];
}

void gru(const GruLayer& l, const RecurrentMemory& m, size_t active) noexcept {
  if (l.linear && active <= few_records) {
    for (size_t lane = 0; lane < active; ++lane) gru_record(l, m, lane);
    return;
  }
  for_active_parts(active,
                   [&](size_t lane, auto parts) { gru_lanes<decltype(parts)::value>(l, m, lane); });
}

template <size_t Units, size_t Parts>
KASPAR_INLINE void rnn_units(const RnnLayer& l, size_t unit, const float* in, const float* last,
                             float* out) noexcept {
  const RecurrentShape& s = l.shape;
  const float* weights = l.weights + unit;
  Floats sums[Units][Parts];
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) sums[u][p] = all_of<Floats>(weights[u]);
  }
  const auto add = [&](const float* x, size_t count) {
    for (size_t i = 0; i < count; ++i, x += all_lanes) {
      weights += s.units;
      Floats values[Parts];
      for (size_t p = 0; p < Parts; ++p) values[p] = load<Floats>(x + p * width_of<Floats>);
      for (size_t u = 0; u < Units; ++u) {
        const Floats weight = all_of<Floats>(weights[u]);
        for (size_t p = 0; p < Parts; ++p) sums[u][p] = fma(weight, values[p], sums[u][p]);
      }
    }
  };
  add(in, s.inputs);
  add(last, s.units);
  for (size_t u = 0; u < Units; ++u) {
    for (size_t p = 0; p < Parts; ++p) {
      const Floats sum = sums[u][p];
      store<Floats>(out + (unit + u) * all_lanes + p * width_of<Floats>,
                    l.relu ? (sum < 0.0F ? Floats{} : sum) : tanh(sum));
    }
  }
}

template <size_t Parts>
void rnn_lanes(const RnnLayer& l, const RecurrentMemory& m, size_t lane) noexcept {
  constexpr size_t units_at_once = units_together > 1 ? 8 : 4;
  const size_t units = l.shape.units;
  for_steps(l.shape, m, lane, [&](const float* in, const float* last, float* out) {
    size_t unit = 0;
    for (; unit + units_at_once <= units; unit += units_at_once) {
      rnn_units<units_at_once, Parts>(l, unit, in, last, out);
    }
    for (; unit < units; ++unit) rnn_units<1, Parts>(l, unit, in, last, out);
  });
  keep_last<Parts>(l.shape, m, lane);
}

void rnn(const RnnLayer& l, const RecurrentMemory& m, size_t active) noexcept {
  for_active_parts(active,
                   [&](size_t lane, auto parts) { rnn_lanes<decltype(parts)::value>(l, m, lane); });
}

}  // namespace
}  // namespace kaspar::nodes
