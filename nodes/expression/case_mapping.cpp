#include "nodes/expression/case_mapping.hpp"

#include <locale.h>
#include <wctype.h>

#include <cstddef>
#include <cstdint>

namespace kaspar::nodes::expression {
namespace {

locale_t unicode() noexcept {
  static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return locale;
}

/// The code point at the front and its size in bytes; size 0: none that is well-formed.
struct Decoded {
  std::uint32_t code_point = 0;
  std::size_t size = 0;
};

Decoded decode(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < size) return {};
  std::uint32_t code_point = first & (0xFFU >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    code_point = code_point << 6 | (byte(i) & 0x3FU);
  }
  const bool overlong = (size == 3 && code_point < 0x800) || (size == 4 && code_point < 0x10000);
  const bool surrogate = code_point >= 0xD800 && code_point < 0xE000;
  if (overlong || surrogate || code_point > 0x10FFFF) return {};
  return {code_point, size};
}

void append_code_point(std::string& out, std::uint32_t code_point) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0U | code_point >> 6);
    put(0x80U | (code_point & 0x3FU));
  } else if (code_point < 0x10000) {
    put(0xE0U | code_point >> 12);
    put(0x80U | (code_point >> 6 & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  } else {
    put(0xF0U | code_point >> 18);
    put(0x80U | (code_point >> 12 & 0x3FU));
    put(0x80U | (code_point >> 6 & 0x3FU));
    put(0x80U | (code_point & 0x3FU));
  }
}

}  // namespace

bool knows_unicode_case() noexcept { return unicode() != locale_t{}; }

void append_in_case(std::string& out, std::string_view text, LetterCase wanted) {
  const locale_t locale = unicode();
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (next.size == 0 || locale == locale_t{}) {
      out += text.front();
      text.remove_prefix(1);
      continue;
    }
    const auto letter = static_cast<wint_t>(next.code_point);
    append_code_point(
        out, wanted == LetterCase::Lower ? towlower_l(letter, locale) : towupper_l(letter, locale));
    text.remove_prefix(next.size);
  }
}

}  // namespace kaspar::nodes::expression
