// One chain: its stages, the columns between them, and where its failed rows go.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dsl/check/expressions.hpp"
#include "dsl/check/options.hpp"
#include "dsl/parse/ast.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// What a name of the file stands for.
struct Definition {
  enum class Kind : std::uint8_t { Source, Sink, Model, Schema, Other };
  Kind kind = Kind::Other;
  std::size_t index = 0;  // into the plan's sources, sinks, models, or the schemas
  Span span;
  bool damaged = false;
  bool used = false;
};

struct Definitions {
  std::map<std::string, Definition, std::less<>> by_name;
  std::vector<Schema> schemas;
  std::vector<std::map<std::string, Span>> model_options;  // where each model's options stand

  /// The definition of that kind, marked as used; reports an unknown one and returns nothing.
  Definition* find(const ast::Name& name, Definition::Kind kind, Report& report);
};

/// Where failed rows go; nothing where it is wrong (reported).
[[nodiscard]] std::optional<ErrorPolicy> check_target(const ast::Name& target,
                                                      Definitions& definitions, Report& report);

struct ChainContext {
  const NodeRegistry& registry;
  Definitions& definitions;
  const Plan& plan;
  const std::string& directory;
  const std::optional<ErrorPolicy>& on_error;
  bool on_error_given = false;
  Report& report;
};

[[nodiscard]] ChainPlan check_chain(const ast::Chain& chain, bool damaged, ChainContext& context);

}  // namespace kaspar::dsl
