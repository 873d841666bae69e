#include "nodes/model/sliding_window.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <utility>

namespace kaspar::nodes {
namespace {

constexpr std::int64_t largest_window = 1 << 20;

/// One spatial dimension.
struct Span {
  std::int64_t size = 0;  // of the input
  std::int64_t kernel = 1, stride = 1, dilation = 1;
  std::int64_t before = 0, after = 0;  // padding
  std::int64_t count = 0;              // of windows

  [[nodiscard]] std::int64_t reach() const { return (kernel - 1) * dilation + 1; }
};

Dims spatial_attribute(const NodeLowering& node, std::string_view name, std::size_t count,
                       std::int64_t otherwise, std::int64_t least) {
  const Attribute* given = node.attribute(name);
  if (given == nullptr || given->integers.empty()) return Dims(count, otherwise);
  const auto fits = [&](std::int64_t value) { return value >= least && value <= largest_window; };
  if (given->integers.size() != count || !std::ranges::all_of(given->integers, fits)) {
    node.damaged(fmt::format("`{}` {}", name, text(given->integers)));
  }
  return given->integers;
}

void pad(const NodeLowering& node, std::vector<Span>& spans) {
  const std::string automatic = node.word("auto_pad", "NOTSET");
  const Dims pads = spatial_attribute(node, "pads", 2 * spans.size(), 0, 0);
  const bool ceil = node.integer("ceil_mode", 0) != 0;
  for (std::size_t d = 0; d < spans.size(); ++d) {
    Span& span = spans[d];
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      span.count = (span.size + span.stride - 1) / span.stride;
      const std::int64_t needed = (span.count - 1) * span.stride + span.reach() - span.size;
      const std::int64_t all = std::max<std::int64_t>(0, needed);
      span.before = automatic == "SAME_UPPER" ? all / 2 : all - all / 2;
      span.after = all - span.before;
      continue;
    }
    if (automatic == "NOTSET") {
      span.before = pads[d];
      span.after = pads[spans.size() + d];
    } else if (automatic != "VALID") {
      node.damaged(fmt::format("`auto_pad` `{}`", automatic));
    }
    const std::int64_t room = span.size + span.before + span.after - span.reach();
    if (room < 0) node.damaged("a window that is larger than the input");
    span.count = room / span.stride + 1;
    // A window that begins in the padding behind is none.
    if (ceil && room % span.stride != 0 && span.count * span.stride < span.size + span.before) {
      ++span.count;
    }
  }
}

/// Fills in the taps of the window whose first element, in each dimension, is `first`.
void add_window(SlidingWindows& windows, const std::vector<Span>& spans, const Dims& first) {
  Dims digits(spans.size(), 0);
  std::uint32_t covered = 0;
  for (std::uint32_t place = 0;; ++place) {
    std::int64_t from = 0;
    bool inside = true;
    bool counted = true;
    for (std::size_t d = 0; d < spans.size(); ++d) {
      const std::int64_t at = first[d] + digits[d] * spans[d].dilation;
      inside = inside && at >= 0 && at < spans[d].size;
      counted = counted && at < spans[d].size + spans[d].after;
      from = from * spans[d].size + at;
    }
    if (inside) windows.taps.push_back({static_cast<std::uint32_t>(from), place});
    if (counted) ++covered;
    std::size_t d = spans.size();
    for (; d > 0; --d) {
      if (++digits[d - 1] < spans[d - 1].kernel) break;
      digits[d - 1] = 0;
    }
    if (d == 0) break;
  }
  windows.starts.push_back(static_cast<std::uint32_t>(windows.taps.size()));
  windows.covered.push_back(covered);
}

}  // namespace

SlidingWindows sliding_windows(NodeLowering& node, const Dims& in_dims, const Dims& kernel) {
  const std::size_t count = kernel.size();
  if (count == 0 || in_dims.size() != count + 2) {
    node.damaged(fmt::format("an input {} under a kernel {}", text(in_dims), text(kernel)));
  }
  const Dims strides = spatial_attribute(node, "strides", count, 1, 1);
  const Dims dilations = spatial_attribute(node, "dilations", count, 1, 1);
  std::vector<Span> spans(count);
  for (std::size_t d = 0; d < count; ++d) {
    if (kernel[d] < 1 || kernel[d] > largest_window)
      node.damaged(fmt::format("kernel {}", text(kernel)));
    if (in_dims[d + 2] < 1) node.unsupported("on an empty tensor");
    spans[d] = {.size = in_dims[d + 2],
                .kernel = kernel[d],
                .stride = strides[d],
                .dilation = dilations[d]};
  }
  pad(node, spans);
  SlidingWindows windows;
  windows.starts.push_back(0);
  Dims all = kernel;
  for (const Span& span : spans) {
    windows.out_dims.push_back(span.count);
    all.push_back(span.count);
  }
  node.charge(node.checked_size(all));  // a tap is as large as two of a tensor's elements
  for (std::size_t w = 0; w < product(windows.out_dims, 0, count); ++w) {
    Dims first(count);
    std::size_t rest = w;
    for (std::size_t d = count; d-- > 0;) {
      const auto along = static_cast<std::size_t>(spans[d].count);
      first[d] = static_cast<std::int64_t>(rest % along) * spans[d].stride - spans[d].before;
      rest /= along;
    }
    add_window(windows, spans, first);
  }
  return windows;
}

}  // namespace kaspar::nodes
