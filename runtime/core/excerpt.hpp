// Foreign text in messages.
#pragma once

#include <string>
#include <string_view>

namespace kaspar {

/// The text in backticks as a message can show it: at most 40 bytes and not through a code point,
/// control characters and what is no UTF-8 as `\xNN`.
[[nodiscard]] std::string excerpt(std::string_view text);

}  // namespace kaspar
