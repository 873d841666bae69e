// Names and types: from the tree to a pipeline in which every name is resolved.
#pragma once

#include "dsl/diag/diagnostic.hpp"
#include "dsl/parse/ast.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// A plan but for its segments. Usable only if nothing was reported as an error.
struct TypedPipeline {
  Plan plan;
};

/// Checks the whole file and reports every independent mistake once. Opens the models and scalers
/// that the file names.
[[nodiscard]] TypedPipeline check(const ast::File& file, const NodeRegistry& registry,
                                  Diagnostics& diagnostics);

}  // namespace kaspar::dsl
