// The tree of a file as `check --dump ast` prints it.
#pragma once

#include <span>
#include <string>

#include "dsl/parse/ast.hpp"

namespace kaspar::dsl {

/// A line a part, with its place, indented below what it belongs to; partial where the file is
/// damaged. What lies in `secrets` is not shown.
[[nodiscard]] std::string print_ast(const ast::File& file, std::span<const Span> secrets);

}  // namespace kaspar::dsl
