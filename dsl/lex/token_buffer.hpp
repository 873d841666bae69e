// The tokens of a file: what lex() makes and the parser reads.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dsl/source/source_buffer.hpp"
#include "runtime/core/diagnostic_code.hpp"

namespace kaspar::dsl {

enum class TokenKind : std::uint8_t {
#define KASPAR_TOKEN(name, text) name,
#include "dsl/lex/token_kind.def"
};

/// "`|>`" for a symbol or a keyword, "a string" for the others; static storage.
[[nodiscard]] std::string_view describe(TokenKind kind) noexcept;

[[nodiscard]] constexpr bool is_reserved(TokenKind kind) noexcept {
  return kind >= TokenKind::And && kind <= TokenKind::As;
}
/// Whether a word is one of the language that names nothing, as `if`.
[[nodiscard]] bool is_reserved(std::string_view word) noexcept;

/// A piece of a string: text, or, where `parameter` is set, a `${parameter}` in its place.
struct StringPart {
  std::string text;
  bool parameter = false;
  Span span;  // as written
};

/// What a String token holds: escapes decoded, never lexed again.
struct StringLiteral {
  std::vector<StringPart> parts;  // empty for ""
  bool raw = false;

  /// The whole text, if nothing is interpolated.
  [[nodiscard]] bool constant() const noexcept;
  [[nodiscard]] std::string text() const;
};

/// Why a token is an Error. The parser reports it, once a damaged item or stage.
struct LexicalError {
  DiagnosticCode code = DiagnosticCode::K0101;
  Span span;
  std::string message;
  std::string label;
  std::string help;
  /// What was meant instead of the span, where that is certain.
  std::optional<std::string> replacement = {};
};

struct Token {
  TokenKind kind = TokenKind::End;
  /// No blank, newline or comment stands between the token before and this one.
  bool touches = false;
  Span span;
  std::uint32_t value = 0;  // index into TokenBuffer::values, for literals and errors
};

struct TokenBuffer {
  using Value =
      std::variant<std::int64_t, double, std::chrono::milliseconds, StringLiteral, LexicalError>;

  std::shared_ptr<const SourceBuffer> source;
  std::vector<Token> tokens;  // the last is End
  std::vector<Value> values;
  std::vector<Span> comments;  // from `#` to the end of the line, for the formatter
  bool has_errors = false;

  [[nodiscard]] std::string_view text(const Token& token) const noexcept {
    return source->text(token.span);
  }
  template <class T>
  [[nodiscard]] const T& value(const Token& token) const {
    return std::get<T>(values[token.value]);
  }
};

/// Never fails: what is no token becomes an Error token. Time and memory are linear in the text.
[[nodiscard]] TokenBuffer lex(std::shared_ptr<const SourceBuffer> source);

/// One token a line, as `check --dump tokens` prints them; secrets are not shown.
[[nodiscard]] std::string print_tokens(const TokenBuffer& tokens);

}  // namespace kaspar::dsl
