// Golden vectors: what the training framework computed, compared with what is computed here.
#pragma once

#include <expected>

#include "nodes/model/model_resource.hpp"

namespace kaspar::nodes {

/// Computes every line's arguments; how well they were reproduced. A value that differs is K0406, a
/// file that is missing or no such file K0405, both at the model's option `golden`.
[[nodiscard]] std::expected<GoldenResult, Issue> check_golden(const AppliedModel& applied,
                                                              const GoldenFile& golden);

}  // namespace kaspar::nodes
