// Convolution and pools over windows.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "nodes/model/program.hpp"
#include "nodes/model/sliding_window.hpp"

namespace kaspar::nodes {

struct ConvolutionLayout {
  Register in = 0, out = 0;
  std::size_t batch = 1, groups = 1;
  std::size_t in_channels = 0;   // of a group
  std::size_t out_channels = 0;  // of a group
  std::size_t spatial = 0;       // elements of an input channel
  std::size_t kernel = 0;        // elements of a window
};

/// out[b, m, w] = bias[m] + sum of weights[m, c, k] * in[b, c of m's group, tap k of window w]
template <class T>
class ConvolutionKernel final : public Kernel {
 public:
  static constexpr std::size_t together = 4;  // out channels, which share what is read

  /// `weights` is [groups * out_channels, in_channels, kernel], `bias` [groups * out_channels].
  ConvolutionKernel(const ConvolutionLayout& layout, SlidingWindows windows,
                    const std::vector<T>& weights, std::vector<T> bias)
      : layout_(layout),
        windows_(std::move(windows)),
        blocks_((layout.out_channels + together - 1) / together),
        bias_(std::move(bias)) {
    const std::size_t depth = layout.in_channels * layout.kernel;
    weights_.resize(layout.groups * blocks_ * depth * together);
    for (std::size_t m = 0; m < bias_.size(); ++m) {
      const std::size_t in_group = m % layout.out_channels;
      const std::size_t block = m / layout.out_channels * blocks_ + in_group / together;
      for (std::size_t i = 0; i < depth; ++i) {
        weights_[(block * depth + i) * together + in_group % together] = weights[m * depth + i];
      }
    }
  }

  void run(LaneMemory memory) const noexcept override {
    for (std::size_t b = 0; b < layout_.batch; ++b) {
      for (std::size_t group = 0; group < layout_.groups; ++group) {
        for (std::size_t window = 0; window < windows_.count(); ++window) {
          for (std::size_t block = 0; block < blocks_; ++block) {
            one(memory, b * layout_.groups + group, group, window, block);
          }
        }
      }
    }
  }

 private:
  static constexpr Register each = registers_of<T>;

  void one(LaneMemory memory, std::size_t place, std::size_t group, std::size_t window,
           std::size_t block) const noexcept {
    const std::size_t first = block * together;
    const std::size_t count = std::min(together, layout_.out_channels - first);
    std::array<Lane<T>, together> sums;
    for (std::size_t j = 0; j < together; ++j) {
      sums[j].setConstant(j < count ? bias_[group * layout_.out_channels + first + j] : T{0});
    }
    const std::size_t depth = layout_.in_channels * layout_.kernel;
    const T* weights = weights_.data() + (group * blocks_ + block) * depth * together;
    const auto taps = std::span(windows_.taps)
                          .subspan(windows_.starts[window],
                                   windows_.starts[window + 1] - windows_.starts[window]);
    std::size_t in = layout_.in + place * layout_.in_channels * layout_.spatial * each;
    for (std::size_t c = 0; c < layout_.in_channels; ++c) {
      for (const WindowTap& tap : taps) {
        const Lane<T> x = memory.at<T>(in + tap.from * each);
        const T* by = weights + tap.place * together;
        for (std::size_t j = 0; j < together; ++j) sums[j] += by[j] * x;
      }
      weights += layout_.kernel * together;
      in += layout_.spatial * each;
    }
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t channel = place * layout_.out_channels + first + j;
      memory.at<T>(layout_.out + (channel * windows_.count() + window) * each) = sums[j];
    }
  }

  ConvolutionLayout layout_;
  SlidingWindows windows_;
  std::size_t blocks_;
  std::vector<T> weights_;  // [groups, blocks, in_channels, kernel, together]
  std::vector<T> bias_;
};

/// The largest of each window, of each of so many channels of the input.
template <class T>
class MaxPoolKernel final : public Kernel {
 public:
  MaxPoolKernel(Register in, Register out, std::size_t channels, std::size_t spatial,
                SlidingWindows windows)
      : in_(in), out_(out), channels_(channels), spatial_(spatial), windows_(std::move(windows)) {}

  void run(LaneMemory memory) const noexcept override {
    constexpr Register each = registers_of<T>;
    std::size_t out = out_;
    for (std::size_t c = 0; c < channels_; ++c) {
      const std::size_t in = in_ + c * spatial_ * each;
      for (std::size_t w = 0; w < windows_.count(); ++w, out += each) {
        Lane<T> most = Lane<T>::Constant(std::numeric_limits<T>::lowest());
        for (std::size_t t = windows_.starts[w]; t < windows_.starts[w + 1]; ++t) {
          const Lane<T> x = memory.at<T>(in + windows_.taps[t].from * each);
          most = (x > most || x != x).select(x, most);
        }
        memory.at<T>(out) = most;
      }
    }
  }

 private:
  Register in_, out_;
  std::size_t channels_, spatial_;
  SlidingWindows windows_;
};

/// The mean of each window: over its elements inside, or those of the padding too.
template <class T>
class AveragePoolKernel final : public Kernel {
 public:
  AveragePoolKernel(Register in, Register out, std::size_t channels, std::size_t spatial,
                    SlidingWindows windows, bool count_padding)
      : in_(in),
        out_(out),
        channels_(channels),
        spatial_(spatial),
        windows_(std::move(windows)),
        count_padding_(count_padding) {}

  void run(LaneMemory memory) const noexcept override {
    constexpr Register each = registers_of<T>;
    std::size_t out = out_;
    for (std::size_t c = 0; c < channels_; ++c) {
      const std::size_t in = in_ + c * spatial_ * each;
      for (std::size_t w = 0; w < windows_.count(); ++w, out += each) {
        const std::size_t end = windows_.starts[w + 1];
        Lane<T> sum = Lane<T>::Zero();
        for (std::size_t t = windows_.starts[w]; t < end; ++t) {
          sum += memory.at<T>(in + windows_.taps[t].from * each);
        }
        const std::size_t count = count_padding_ ? windows_.covered[w] : end - windows_.starts[w];
        memory.at<T>(out) = sum / static_cast<T>(std::max<std::size_t>(1, count));
      }
    }
  }

 private:
  Register in_, out_;
  std::size_t channels_, spatial_;
  SlidingWindows windows_;
  bool count_padding_;
};

}  // namespace kaspar::nodes
