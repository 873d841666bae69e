// Names and types of expressions.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "dsl/check/report.hpp"
#include "dsl/parse/ast.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar::dsl {

/// The columns at one point of a chain.
struct Scope {
  Schema columns;
  std::vector<Slot> slots;         // of each column
  std::set<std::string> poisoned;  // defined by something damaged: nothing is said about them
  bool unknown = false;            // so is everything

  void define(const Column& column, Slot slot);
};

/// The typed expression, or nothing where it is wrong (reported) or hangs on something damaged.
[[nodiscard]] std::optional<Expression> resolve(const ast::Node& node, const Scope& scope,
                                                Report& report);

}  // namespace kaspar::dsl
