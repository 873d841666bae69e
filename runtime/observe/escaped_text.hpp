// Text from outside, made harmless: one line, no control characters, well-formed UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace kaspar::observe {

/// Control characters (C1 too, which a terminal obeys) become `\n`, `\t` or `\u00xx`; bytes that
/// are no UTF-8 become U+FFFD. `quotes`: `"` and `\` are escaped, as inside a JSON string.
void append_escaped(std::string& out, std::string_view text, bool quotes);

/// The text in quotes: a JSON string, whatever the text holds.
void append_json_text(std::string& out, std::string_view text);

}  // namespace kaspar::observe
