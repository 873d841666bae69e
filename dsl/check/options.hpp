// Options in braces against what a node's descriptor says of them.
#pragma once

#include <map>
#include <span>
#include <string>

#include "dsl/check/expressions.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::dsl {

struct CheckedOptions {
  Params params;
  std::vector<Operand> operands;
  std::vector<Span> places;  // of the operands
  /// Where each option's value stands; of a table `T` also `T.key`, the value, and `T.key:`, the
  /// key.
  std::map<std::string, Span> values;
  bool fine = true;  // false: something was reported, or hangs on something damaged
};

/// What has the options: a node's name, where a missing one is reported, and what it takes.
struct OptionTaker {
  std::string_view name;
  Span span;
  std::span<const ParamDescriptor> params;
};

/// Expressions are resolved by `expressions`; without it there are none. Paths of files start from
/// the file's directory.
[[nodiscard]] CheckedOptions check_options(const ast::Options& options, const OptionTaker& taker,
                                           ExpressionChecker* expressions, Program& program,
                                           FileDefinitions& file);

}  // namespace kaspar::dsl
