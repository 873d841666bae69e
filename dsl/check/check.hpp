// Names and types: from the tree to a pipeline in which every name is resolved.
#pragma once

#include <expected>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dsl/check/endpoint_text.hpp"
#include "dsl/check/resolved_param.hpp"
#include "dsl/diag/diagnostic.hpp"
#include "dsl/parse/ast.hpp"
#include "dsl/source/outside_value.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// A plan but for its segments. Usable only if nothing was reported as an error.
struct TypedPipeline {
  Plan plan;
  std::vector<EndpointText> source_texts;  // of the plan's sources, and sinks
  std::vector<EndpointText> sink_texts;
  std::vector<ResolvedParam> params;  // of the program's own file, in source order
  /// Files that it reads beside its own, in no order that matters; not those of `file` endpoints,
  /// and not the weights that a model keeps in files of their own.
  std::vector<std::string> paths;
};

/// Checks the whole program and reports every independent mistake once. Reads the files that it
/// uses, and opens its models and scalers. `params` are values from outside, the strongest first;
/// `clusters` the names that the option `cluster` may give, not checked where nothing is known;
/// `memory_budget` the bytes that a model may take.
[[nodiscard]] TypedPipeline check(ast::File file, const NodeRegistry& registry,
                                  std::span<const OutsideValue> params,
                                  const std::optional<std::vector<std::string>>& clusters,
                                  std::size_t memory_budget, Diagnostics& diagnostics);

}  // namespace kaspar::dsl
