// Tokens to tree. Recovers at `|>` and at the start of an item, so that every independent mistake
// is reported once: one syntax error a damaged item or stage, lexical ones included.
#pragma once

#include "dsl/diag/diagnostic.hpp"
#include "dsl/parse/ast.hpp"

namespace kaspar::dsl {

/// Expressions nested deeper are refused with K0101, so that no file exhausts the stack.
inline constexpr std::size_t deepest_nesting = 128;

/// The same for trees that are deep without nesting: `a + b + c + …` is one of as many levels.
inline constexpr std::uint32_t highest_tree = 1000;

/// The whole grammar of the language, version 1. Never fails: what is damaged is marked as such.
/// Time and memory are linear in the number of tokens.
[[nodiscard]] ast::File parse(const TokenBuffer& tokens, Diagnostics& diagnostics);

}  // namespace kaspar::dsl
