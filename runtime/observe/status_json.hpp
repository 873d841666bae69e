// The state of a run as JSON: /api/status, and what the page is sent every second.
#pragma once

#include <string>

#include "runtime/observe/run_view.hpp"

namespace kaspar::observe {

/// One object on one line. `whole`: with what does not change, the file's text too. Of rows that
/// failed it tells code and place, never what they hold.
[[nodiscard]] std::string status_json(const RunView& view, bool whole);

}  // namespace kaspar::observe
