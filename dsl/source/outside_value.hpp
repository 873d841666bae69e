// Values that come from outside the pipeline file for its parameters.
#pragma once

#include <memory>
#include <string>

#include "dsl/source/source_buffer.hpp"
#include "runtime/core/value.hpp"

namespace kaspar::dsl {

/// A value for `param NAME`. `source` is the text that gives it, for diagnostics: the profile, or
/// one line made of the command line's argument (`-p k=v`) or of an environment variable
/// (`KASPAR_PARAM_K=v`). Text is read as the parameter's type says; a profile's values have types.
/// A name that no parameter has is K0701, but for an environment variable.
struct OutsideValue {
  std::string name;
  Value value;  // text (from the command line and the environment), bool, i64, double or string
  bool from_environment = false;  // then `name` is in upper case
  bool on_command_line = false;
  bool text = false;    // `value` is a string to be read as the parameter's type
  bool secret = false;  // it is never to be printed
  std::shared_ptr<const SourceBuffer> source;
  Span name_span;
  Span value_span;
};

}  // namespace kaspar::dsl
