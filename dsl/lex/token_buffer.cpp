#include "dsl/lex/token_buffer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace kaspar::dsl {
namespace {

constexpr std::array descriptions{
#define KASPAR_TOKEN(name, text) std::string_view{text},
#define KASPAR_SYMBOL(name, text) std::string_view{"`" text "`"},
#define KASPAR_KEYWORD(name, text) std::string_view{"`" text "`"},
#include "dsl/lex/token_kind.def"
};

}  // namespace

std::string_view describe(TokenKind kind) noexcept {
  return descriptions[static_cast<std::size_t>(kind)];
}

bool is_reserved(std::string_view word) noexcept {
  constexpr std::array words{
#define KASPAR_KEYWORD(name, text) std::string_view{text},
#include "dsl/lex/token_kind.def"
  };
  return std::ranges::find(words, word) != words.end();
}

bool StringLiteral::constant() const noexcept {
  return std::none_of(parts.begin(), parts.end(),
                      [](const StringPart& part) { return part.parameter; });
}

std::string StringLiteral::text() const {
  std::string all;
  for (const StringPart& part : parts) {
    all += part.parameter ? fmt::format("${{{}}}", part.text) : part.text;
  }
  return all;
}

}  // namespace kaspar::dsl
