// Convolution, and the largest of windows.
#pragma once

#include "nodes/model/simd/dense.hpp"
#include "nodes/model/simd/kernel_table.hpp"

namespace kaspar::nodes {
namespace {

/// Some channels of one window.
template <size_t Channels, size_t Parts>
KASPAR_INLINE void window_block(const Convolution& c, const WindowTap* taps, size_t count,
                                const float* in, const float* weights, const float* bias,
                                float* out) noexcept {
  constexpr size_t width = width_of<Floats>;
  Floats sums[Channels][Parts];
  for (size_t m = 0; m < Channels; ++m) {
    for (size_t p = 0; p < Parts; ++p) sums[m][p] = all_of<Floats>(bias[m]);
  }
  for (size_t channel = 0; channel < c.in_channels; ++channel) {
    for (size_t t = 0; t < count; ++t) {
      const float* const from = in + taps[t].from * all_lanes;
      const float* const by = weights + taps[t].place * c.padded;
      Floats x[Parts];
      for (size_t p = 0; p < Parts; ++p) x[p] = load<Floats>(from + p * width);
      for (size_t m = 0; m < Channels; ++m) {
        const Floats weight = all_of<Floats>(by[m]);
        for (size_t p = 0; p < Parts; ++p) sums[m][p] = fma(weight, x[p], sums[m][p]);
      }
    }
    in += c.spatial * all_lanes;
    weights += c.kernel * c.padded;
  }
  for (size_t m = 0; m < Channels; ++m) {
    for (size_t p = 0; p < Parts; ++p) {
      store<Floats>(out + m * c.windows * all_lanes + p * width,
                    rectified_if(c.rectified, sums[m][p]));
    }
  }
}

template <size_t Parts>
void convolved(const Convolution& c, size_t group, const float* in, float* out) noexcept {
  const float* const weights = c.weights + group * c.in_channels * c.kernel * c.padded;
  const float* const bias = c.bias + group * c.padded;
  for (size_t window = 0; window < c.windows; ++window, out += all_lanes) {
    const WindowTap* const taps = c.taps + c.starts[window];
    const size_t count = c.starts[window + 1] - c.starts[window];
    size_t m = 0;
    const auto block = [&](auto channels) {
      constexpr size_t some = decltype(channels)::value;
      for (; m + some <= c.out_channels; m += some) {
        window_block<some, Parts>(c, taps, count, in, weights + m, bias + m,
                                  out + m * c.windows * all_lanes);
      }
    };
    block(PartCount<block_columns>{});
    if constexpr (block_columns > 8) block(PartCount<8>{});
    block(PartCount<4>{});
    block(PartCount<1>{});
  }
}

/// A block of channels of some windows of one record: channels side by side in place of the
/// records. The same operations on the same numbers, so the same result. All windows have the
/// places of the first.
template <size_t Windows>
KASPAR_INLINE void record_windows(const Convolution& c, size_t window, size_t first,
                                  const float* in, const float* weights, const float* bias,
                                  float* out) noexcept {
  constexpr size_t width = width_of<Floats>;
  constexpr size_t parts = dense_block / width;
  const WindowTap* const taps = c.taps + c.starts[window];
  const size_t count = c.starts[window + 1] - c.starts[window];
  Floats sums[Windows][parts];
  for (size_t w = 0; w < Windows; ++w) {
    for (size_t part = 0; part < parts; ++part) {
      sums[w][part] = load<Floats>(bias + first + part * width);
    }
  }
  for (size_t channel = 0; channel < c.in_channels; ++channel) {
    for (size_t t = 0; t < count; ++t) {
      const float* const by = weights + taps[t].place * c.padded + first;
      Floats x[Windows];
      for (size_t w = 0; w < Windows; ++w) {
        x[w] = all_of<Floats>(in[taps[w * count + t].from * all_lanes]);
      }
      for (size_t part = 0; part < parts; ++part) {
        const Floats weight = load<Floats>(by + part * width);
        for (size_t w = 0; w < Windows; ++w) sums[w][part] = fma(weight, x[w], sums[w][part]);
      }
    }
    in += c.spatial * all_lanes;
    weights += c.kernel * c.padded;
  }
  for (size_t w = 0; w < Windows; ++w) {
    alignas(vector_bytes) float row[dense_block];
    for (size_t part = 0; part < parts; ++part) {
      store<Floats>(row + part * width, rectified_if(c.rectified, sums[w][part]));
    }
    for (size_t m = 0; m < dense_block && first + m < c.out_channels; ++m) {
      out[((first + m) * c.windows + window + w) * all_lanes] = row[m];
    }
  }
}

#if defined(__AVX512F__)
inline constexpr size_t windows_together = 8;
#elif defined(__AVX2__)
inline constexpr size_t windows_together = 4;
#else
inline constexpr size_t windows_together = 2;
#endif

/// Whether so many windows from there on lie wholly inside: their places are those of the kernel.
KASPAR_INLINE bool all_inside(const Convolution& c, size_t window) noexcept {
  for (size_t w = window; w < window + windows_together; ++w) {
    if (c.starts[w + 1] - c.starts[w] != c.kernel) return false;
  }
  return true;
}

void record_convolved(const Convolution& c, size_t group, const float* in, float* out) noexcept {
  const float* const weights = c.weights + group * c.in_channels * c.kernel * c.padded;
  const float* const bias = c.bias + group * c.padded;
  for (size_t window = 0; window < c.windows;) {
    const bool some = window + windows_together <= c.windows && all_inside(c, window);
    for (size_t first = 0; first < c.out_channels; first += dense_block) {
      if (some) {
        record_windows<windows_together>(c, window, first, in, weights, bias, out);
      } else {
        record_windows<1>(c, window, first, in, weights, bias, out);
      }
    }
    window += some ? windows_together : 1;
  }
}

void convolution(const Convolution& c, const float* in, float* out, size_t active) noexcept {
  for (size_t place = 0; place < c.batch * c.groups; ++place) {
    const float* const from = in + place * c.in_channels * c.spatial * all_lanes;
    float* const to = out + place * c.out_channels * c.windows * all_lanes;
    // Groups of few channels would leave most of a vector empty.
    if (active <= few_records && active < c.out_channels) {
      for (size_t lane = 0; lane < active; ++lane) {
        record_convolved(c, place % c.groups, from + lane, to + lane);
      }
      continue;
    }
    for_active_parts(active, [&](size_t lane, auto parts) {
      convolved<decltype(parts)::value>(c, place % c.groups, from + lane, to + lane);
    });
  }
}

void max_pool(const Pool& p, const float* in, float* out, size_t active) noexcept {
  for (size_t channel = 0; channel < p.channels; ++channel, in += p.spatial * all_lanes) {
    for (size_t window = 0; window < p.windows; ++window, out += all_lanes) {
      for (size_t lane = 0; lane < active; lane += width_of<Floats>) {
        Floats most = all_of<Floats>(-__FLT_MAX__);
        for (uint32_t t = p.starts[window]; t < p.starts[window + 1]; ++t) {
          const Floats x = load<Floats>(in + p.taps[t].from * all_lanes + lane);
          most = ((x > most) | is_nan(x)) ? x : most;
        }
        store<Floats>(out + lane, most);
      }
    }
  }
}

}  // namespace
}  // namespace kaspar::nodes
