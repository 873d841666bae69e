// `kaspar check --online`: whether the clusters serve what a file asks of them.
#pragma once

#include "dsl/plan/compile.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::cli {

/// Adds K0604 to the diagnostics of a sound file, at the options of its endpoints. Waits for
/// brokers, at most twice `connect_timeout` for each cluster.
void check_online(dsl::Compiled& compiled, const RunSettings& settings);

}  // namespace kaspar::cli
