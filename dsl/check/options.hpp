// Options in braces against what a node's descriptor says of them.
#pragma once

#include <map>
#include <string>

#include "dsl/check/expressions.hpp"
#include "dsl/check/report.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::dsl {

struct CheckedOptions {
  Params params;
  std::vector<Operand> operands;
  /// Where each option's value stands; of a table `T` also `T.key`, the value, and `T.key:`, the
  /// key.
  std::map<std::string, Span> values;
  bool fine = true;  // false: something was reported, or hangs on something damaged
};

/// `node_span` is where a missing option is reported. Expressions are resolved in `scope`; without
/// one there are none. Paths of files start from `directory`.
[[nodiscard]] CheckedOptions check_options(const ast::Options& options, const NodeDescriptor& node,
                                           Span node_span, const Scope* scope,
                                           const std::string& directory, Report& report);

/// `path` as written in a file of that directory.
[[nodiscard]] std::string path_from(const std::string& directory, const std::string& path);

}  // namespace kaspar::dsl
