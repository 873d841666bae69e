// The part of a pipeline that is evaluated: its chain up to the label, rows in, labels out.
#pragma once

#include <expected>
#include <string>

#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::cli {

/// The plan has one chain, from source 0 to sink 0: each record's key and its label go there, and
/// every error row. `label` names the column to compare (`y.label`); empty: that of the only
/// `apply` that has one. The error is a message for people.
[[nodiscard]] std::expected<Plan, std::string> make_evaluation_plan(const Plan& plan,
                                                                    const NodeRegistry& registry,
                                                                    const std::string& label);

}  // namespace kaspar::cli
