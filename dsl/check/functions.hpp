// `fn` items: their types, their bodies, and what becomes of a call.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "dsl/check/definitions.hpp"

namespace kaspar::dsl {

/// Checks the function, and those it calls (one that calls itself is K0504, once a cycle, at its
/// first).
void check_function(Program& program, std::size_t index);

/// The call's value: the body with the arguments in place of the parameters. What computes is
/// computed once, by a Let; locals are numbered from `locals` on, which is raised.
[[nodiscard]] Expression written_out(const FunctionDefinition& function,
                                     std::vector<Expression> arguments, std::uint32_t& locals);

/// A type as written in a file, or nothing where there is none of that name (reported).
[[nodiscard]] std::optional<Type> check_type(const ast::TypeName& written, Report& report);

}  // namespace kaspar::dsl
