// Strings as a file writes them: escapes, interpolation, raw strings.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "dsl/lex/token_buffer.hpp"

namespace kaspar::dsl {

struct ScannedString {
  StringLiteral literal;
  std::optional<LexicalError> error;  // the first one
  std::size_t end = 0;  // where the scan stopped; past the closing quote if there is one
};

/// Scans the string whose opening quote is at text[begin]. A string in "…" that is not closed ends
/// with its line, so that the rest of the file is still understood.
[[nodiscard]] ScannedString scan_string(std::string_view text, std::size_t begin);

}  // namespace kaspar::dsl
