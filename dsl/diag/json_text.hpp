// Text as JSON has it, whatever bytes it is made of.
#pragma once

#include <string>
#include <string_view>

namespace kaspar::dsl {

/// Appends `text` in quotes, escaped as JSON demands (RFC 8259); bytes that are no UTF-8 become
/// U+FFFD, so that the output always is.
void append_json_text(std::string& out, std::string_view text);

}  // namespace kaspar::dsl
