// The stage `apply` at work: rows into the model's lanes, its answers into columns.
#pragma once

#include <memory>

#include "nodes/model/model_resource.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {

/// The stage's arguments, without its options, are the call's operands whose role is empty.
/// `missing`: null and NaN reach the model as NaN.
[[nodiscard]] std::unique_ptr<Operator> make_apply_operator(
    std::shared_ptr<const AppliedModel> applied, const StageBinding& binding, bool missing);

}  // namespace kaspar::nodes
