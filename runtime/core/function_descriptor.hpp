// The single place that tells all about a function of expressions: what the checker, the evaluator,
// the reference and the completions know of it.
#pragma once

#include <cstddef>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/issue.hpp"
#include "runtime/core/type.hpp"

namespace kaspar {

/// An argument as the checker sees it before it is converted.
struct Argument {
  Type type;
  /// A literal: an i64 one may become any numeric type, an f64 one f32 or f64, a string one bytes
  /// or a timestamp.
  bool literal = false;
};

/// What a call computes with.
struct Signature {
  std::vector<Type> parameters;  // what each argument is converted to; optional: null is taken
  Type result;
  bool fallible = false;  // a row can fail in it
};

/// Computes a function over columns; only the evaluator of expressions knows more of it.
class FunctionKernel;

struct FunctionDescriptor {
  std::string_view name;
  std::string_view summary;                     // one line
  std::string_view parameters;                  // "key, n", for messages and the reference
  std::vector<std::string_view> examples = {};  // `floor(2.7) == 2.0`: true, and tested
  std::size_t least_arguments = 1;
  std::size_t most_arguments = 1;  // SIZE_MAX: any number
  /// The types; an issue's place is Operand `index`. The count is right already.
  std::expected<Signature, Issue> (*resolve)(std::span<const Argument> arguments) = nullptr;
  const FunctionKernel* kernel = nullptr;  // static
};

}  // namespace kaspar
