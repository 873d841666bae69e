// `param` items: their defaults, their bounds, and the values that come from outside.
#pragma once

#include <cstddef>
#include <span>

#include "dsl/check/definitions.hpp"
#include "dsl/check/resolved_param.hpp"
#include "dsl/source/outside_value.hpp"

namespace kaspar::dsl {

/// Checks type, default and options of the parameter, and those it refers to (a cycle is K0504).
void check_param(Program& program, std::size_t index);

/// The parameters of the program's own file, as far as they are right, in source order.
[[nodiscard]] std::vector<ResolvedParam> resolved_params(const Program& program);

/// Puts the values from outside in place of the defaults of the program's own file, the first of
/// each name (K0701). Before anything reads a parameter.
void take_outside_values(Program& program, std::span<const OutsideValue> values,
                         Diagnostics& diagnostics);

}  // namespace kaspar::dsl
