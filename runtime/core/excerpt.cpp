#include "runtime/core/excerpt.hpp"

#include <fmt/format.h>

#include "runtime/core/value_text.hpp"

namespace kaspar {

std::string excerpt(std::string_view text) {
  constexpr std::size_t shown = 40;
  const bool cut = text.size() > shown;
  if (cut) {
    text = text.substr(0, shown);
    // Not through a code point: back to before its first byte.
    std::size_t end = text.size();
    while (end > shown - 4 && (static_cast<unsigned char>(text[end - 1]) & 0xC0U) == 0x80U) --end;
    if (static_cast<unsigned char>(text[end - 1]) >= 0xC0U) text = text.substr(0, end - 1);
  }
  const bool valid = is_utf8(text);
  std::string result = "`";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (!valid && byte >= 0x80)) {
      result += fmt::format("\\x{:02x}", byte);
    } else {
      result += c;
    }
  }
  return result + (cut ? "…`" : "`");
}

}  // namespace kaspar
