// What a run tells Prometheus.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "runtime/observe/run_view.hpp"

namespace kaspar::observe {

struct MetricDescriptor {
  std::string_view name;
  std::string_view type;    // counter, gauge, histogram
  std::string_view labels;  // "stage, place, outcome"
  std::string_view help;
};

/// All that metrics_text() may hold, in its order.
[[nodiscard]] std::span<const MetricDescriptor> metric_descriptors() noexcept;

/// Prometheus' text format 0.0.4. Labels are names of the file, topics, partitions and codes: never
/// what records hold.
[[nodiscard]] std::string metrics_text(const RunView& view);

/// The descriptors as a table in Markdown.
[[nodiscard]] std::string metrics_table();

}  // namespace kaspar::observe
