// Upper and lower case of text, a code point at a time, independent of the program's locale.
#pragma once

#include <string>
#include <string_view>

namespace kaspar::nodes::expression {

enum class LetterCase : unsigned char { Lower, Upper };

/// Whether the mapping beyond ASCII is there: the C library's locale `C.UTF-8`.
[[nodiscard]] bool knows_unicode_case() noexcept;

/// Appends the text in the other case: Unicode's simple mapping, by which a code point becomes one
/// (`ß` stays). Bytes that are no UTF-8 stay as they are.
void append_in_case(std::string& out, std::string_view text, LetterCase wanted);

}  // namespace kaspar::nodes::expression
