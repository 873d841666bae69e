// Values that are known before anything runs: literals, parameters, options.
#pragma once

#include <expected>
#include <optional>
#include <string>

#include "dsl/check/definitions.hpp"
#include "dsl/parse/ast.hpp"
#include "runtime/core/type.hpp"
#include "runtime/core/value.hpp"

namespace kaspar::dsl {

/// The parameter's value, checked if it was not yet; nothing where it is wrong (reported).
[[nodiscard]] const ParamDefinition* checked_param(Program& program, std::size_t index);

struct Constant {
  Type type;
  Value value;
  bool literal = false;  // it may become one of another type
};

/// An expression of literals and parameters; nothing where it is wrong (reported).
[[nodiscard]] std::optional<Constant> constant(const ast::Node& node, Program& program,
                                               FileDefinitions& file);

/// The same, of that type.
[[nodiscard]] std::optional<Value> constant_of(const ast::Node& node, Type type,
                                               std::string_view what, Program& program,
                                               FileDefinitions& file);

/// A string with its `${param}`s in place; nothing where one is wrong (reported).
[[nodiscard]] std::optional<std::string> interpolated(const StringLiteral& literal,
                                                      Program& program, FileDefinitions& file);

/// As `to_string` writes it: what interpolation puts in place.
[[nodiscard]] std::string text_of(const Value& value, const Type& type);

/// A literal's value as one of another type; nothing where it is none: a whole number as a float,
/// a string as bytes or as a point in time.
[[nodiscard]] std::optional<Value> adapted(const Value& value, ScalarType from, ScalarType to);

/// Text from outside as a value of that scalar type.
[[nodiscard]] std::optional<Value> read_value(const std::string& text, ScalarType type);

}  // namespace kaspar::dsl
