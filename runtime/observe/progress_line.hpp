// The one line that a terminal shows while a pipeline runs.
#pragma once

#include <string>

#include "runtime/observe/run_view.hpp"

namespace kaspar::observe {

/// "12.3 k/s in · 12.1 k/s out · lag 1.20 k · 3 errors · p99 4.2 ms", at most `columns` wide.
[[nodiscard]] std::string progress_line(const RunView& view, std::size_t columns);

}  // namespace kaspar::observe
