#include "runtime/observe/progress_line.hpp"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace kaspar::observe {
namespace {

std::string short_number(double number) {
  constexpr std::array<std::pair<double, const char*>, 3> units{
      {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}}};
  for (const auto& [size, unit] : units) {
    if (number >= size) return fmt::format("{:.3g}{}", number / size, unit);
  }
  return fmt::format("{:.3g}", number);
}

std::string duration_text(double seconds) {
  if (seconds < 0) return "–";
  if (seconds < 0.01) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 1) return fmt::format("{:.0f} ms", seconds * 1e3);
  return fmt::format("{:.1f} s", seconds);
}

}  // namespace

std::string progress_line(const RunView& view, std::size_t columns) {
  const std::int64_t lag = total_lag(view.now);
  const LatencyCounts& latency =
      view.recent.end_to_end.count() != 0 ? view.recent.end_to_end : view.recent.batches;
  std::string line = fmt::format("{}/s in · {}/s out · lag {} · {} errors · p99 {}",
                                 short_number(view.recent.read), short_number(view.recent.written),
                                 lag < 0 ? "–" : short_number(static_cast<double>(lag)),
                                 total_failed(view.now), duration_text(latency.quantile(0.99)));
  if (const std::string_view state = state_of(view.now); state != "running") {
    line += fmt::format(" · {}", state);
  }
  // Characters, for each takes a column; what is too wide would leave lines behind.
  std::size_t width = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0) == 0x80) continue;
    if (++width > columns) return line.substr(0, i);
  }
  return line;
}

}  // namespace kaspar::observe
