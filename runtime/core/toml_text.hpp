// What may be given to a parser of TOML: text from outside is looked at first.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kaspar {

/// Why text is not given to the parser.
struct TomlRefusal {
  std::size_t offset = 0;  // of the byte where it was noticed
  std::string message;     // lower-case, no full stop
};

/// toml++ up to 3.3 runs into undefined behaviour where a character that is not ASCII stands
/// outside of strings and comments, or after a backslash in a string; tables and arrays within each
/// other end in recursion. Such text, text that is no UTF-8 and text with stray control characters
/// (none of which is TOML) is refused, and so are brackets within brackets and dotted keys beyond a
/// depth that no file of ours has. A byte-order mark at the start is fine. Linear time.
[[nodiscard]] std::optional<TomlRefusal> refuse_for_toml(std::string_view text);

/// Line of a byte, from 1.
[[nodiscard]] std::size_t line_of(std::string_view text, std::size_t offset) noexcept;

}  // namespace kaspar
