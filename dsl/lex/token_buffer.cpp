#include "dsl/lex/token_buffer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace kaspar::dsl {
namespace {

constexpr std::array descriptions{
#define KASPAR_TOKEN(name, text) std::string_view{text},
#define KASPAR_SYMBOL(name, text) std::string_view{"`" text "`"},
#define KASPAR_KEYWORD(name, text) std::string_view{"`" text "`"},
#include "dsl/lex/token_kind.def"
};

constexpr std::array names{
#define KASPAR_TOKEN(name, text) std::string_view{#name},
#include "dsl/lex/token_kind.def"
};

}  // namespace

std::string_view describe(TokenKind kind) noexcept {
  return descriptions[static_cast<std::size_t>(kind)];
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

std::string dump(const TokenBuffer& tokens) {
  std::string text;
  auto out = std::back_inserter(text);
  for (const Token& token : tokens.tokens) {
    const Position place = tokens.source->position(token.span.begin);
    fmt::format_to(out, "{}:{} {}", place.line, place.column,
                   names[static_cast<std::size_t>(token.kind)]);
    if (token.touches) fmt::format_to(out, " touching");
    switch (token.kind) {
      case TokenKind::Name:
        fmt::format_to(out, " {}", tokens.text(token));
        break;
      case TokenKind::Integer:
        fmt::format_to(out, " {}", tokens.value<std::int64_t>(token));
        break;
      case TokenKind::Float:
        fmt::format_to(out, " {}", tokens.value<double>(token));
        break;
      case TokenKind::Duration:
        fmt::format_to(out, " {} ms", tokens.value<std::chrono::milliseconds>(token).count());
        break;
      case TokenKind::String:
        fmt::format_to(out, " {:?}", tokens.value<StringLiteral>(token).text());
        break;
      case TokenKind::Error: {
        const auto& error = tokens.value<LexicalError>(token);
        fmt::format_to(out, " {} {}", name_of(error.code), error.message);
        break;
      }
      default:
        break;
    }
    text += '\n';
  }
  return text;
}

}  // namespace kaspar::dsl
