// Typed expressions and constants as dumps print them.
#pragma once

#include <span>
#include <string>

#include "runtime/core/expression.hpp"
#include "runtime/core/schema.hpp"
#include "runtime/core/value.hpp"

namespace kaspar::dsl {

/// As in the language: `"a"`, `5s`, `{ partitions = 3 }`.
[[nodiscard]] std::string print_value(const Value& value);

/// A line a node, `indent` blanks before it and its operands below it: `Add f64`. Columns have the
/// names that `slots` gives them.
[[nodiscard]] std::string print_expression(const Expression& expression,
                                           std::span<const Column> slots, std::size_t indent);

}  // namespace kaspar::dsl
