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
      const float* const by = weights + taps[t].place * c.out_channels;
      Floats x[Parts];
      for (size_t p = 0; p < Parts; ++p) x[p] = load<Floats>(from + p * width);
      for (size_t m = 0; m < Channels; ++m) {
        const Floats weight = all_of<Floats>(by[m]);
        for (size_t p = 0; p < Parts; ++p) sums[m][p] = fma(weight, x[p], sums[m][p]);
      }
    }
    in += c.spatial * all_lanes;
    weights += c.kernel * c.out_channels;
  }
  for (size_t m = 0; m < Channels; ++m) {
    for (size_t p = 0; p < Parts; ++p) {
      store<Floats>(out + m * c.windows * all_lanes + p * width, sums[m][p]);
    }
  }
}

template <size_t Parts>
void convolved(const Convolution& c, size_t group, const float* in, float* out) noexcept {
  const float* const weights = c.weights + group * c.in_channels * c.kernel * c.out_channels;
  const float* const bias = c.bias + group * c.out_channels;
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

void convolution(const Convolution& c, const float* in, float* out, size_t active) noexcept {
  for (size_t place = 0; place < c.batch * c.groups; ++place) {
    const float* const from = in + place * c.in_channels * c.spatial * all_lanes;
    float* const to = out + place * c.out_channels * c.windows * all_lanes;
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
