#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "dsl/lex/secrets.hpp"
#include "dsl/lex/token_buffer.hpp"

namespace kaspar::dsl {
namespace {

constexpr std::array names{
#define KASPAR_TOKEN(name, text) std::string_view{#name},
#include "dsl/lex/token_kind.def"
};

void append_value(std::string& text, const TokenBuffer& tokens, const Token& token) {
  auto out = std::back_inserter(text);
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
}

}  // namespace

std::string print_tokens(const TokenBuffer& tokens) {
  const std::vector<Span> secrets = secret_values(tokens);
  std::string text;
  for (const Token& token : tokens.tokens) {
    const Position place = tokens.source->position(token.span.begin);
    fmt::format_to(std::back_inserter(text), "{}:{} {}", place.line, place.column,
                   names[static_cast<std::size_t>(token.kind)]);
    if (token.touches) text += " touching";
    const bool secret = std::ranges::any_of(secrets, [&](Span span) {
      return span.begin < token.span.end && token.span.begin < span.end;
    });
    if (secret) {
      text += " ***";
    } else {
      append_value(text, tokens, token);
    }
    text += '\n';
  }
  return text;
}

}  // namespace kaspar::dsl
