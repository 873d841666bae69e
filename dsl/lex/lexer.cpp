#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "dsl/lex/string_literal.hpp"
#include "dsl/lex/token_buffer.hpp"

namespace kaspar::dsl {
namespace {

struct Spelling {
  std::string_view text;
  TokenKind kind;
};

constexpr std::array symbols{
#define KASPAR_SYMBOL(name, text) Spelling{text, TokenKind::name},
#define KASPAR_KEYWORD(name, text)
#include "dsl/lex/token_kind.def"
};

constexpr std::array keywords{
#define KASPAR_SYMBOL(name, text)
#define KASPAR_KEYWORD(name, text) Spelling{text, TokenKind::name},
#include "dsl/lex/token_kind.def"
};

struct Unit {
  std::string_view name;
  std::int64_t factor;
  bool duration;  // in milliseconds, else in bytes
};

constexpr std::array units{
    Unit{"ms", 1, true},         Unit{"s", 1'000, true},       Unit{"m", 60'000, true},
    Unit{"h", 3'600'000, true},  Unit{"B", 1, false},          Unit{"kB", 1'000, false},
    Unit{"KB", 1'000, false},    Unit{"MB", 1'000'000, false}, Unit{"GB", 1'000'000'000, false},
    Unit{"KiB", 1 << 10, false}, Unit{"MiB", 1 << 20, false},  Unit{"GiB", 1 << 30, false},
};

/// A sign of other languages, or of editors that write typography, and what is written instead.
struct ForeignSign {
  std::string_view sign;
  std::string_view help;
  const char* name = nullptr;         // of a sign that cannot be seen
  const char* replacement = nullptr;  // where it is certain what was meant
};

constexpr std::string_view straight_quotes = R"(strings stand in straight double quotes: `"…"`)";
constexpr std::string_view plain_blank = "write a plain blank";

constexpr std::array foreign_signs{
    ForeignSign{"|", "a stage starts with `|>`"},
    ForeignSign{"!", "write `not` for a negation"},
    ForeignSign{"&", "write `and`"},
    ForeignSign{";", "nothing ends an item or a stage, and entries are separated by `,`"},
    ForeignSign{"'", straight_quotes},
    ForeignSign{"`", straight_quotes},
    ForeignSign{"\u201C", straight_quotes},
    ForeignSign{"\u201D", straight_quotes},
    ForeignSign{"\u201E", straight_quotes},
    ForeignSign{"\u2018", straight_quotes},
    ForeignSign{"\u2019", straight_quotes},
    ForeignSign{"\u00AB", straight_quotes},
    ForeignSign{"\u00BB", straight_quotes},
    ForeignSign{"\u00A0", plain_blank, "no-break space (U+00A0)", " "},
    ForeignSign{"\u202F", plain_blank, "narrow no-break space (U+202F)", " "},
    ForeignSign{"\u3000", plain_blank, "ideographic space (U+3000)", " "},
    ForeignSign{"\u200B", "remove it", "zero width space (U+200B)", ""},
    ForeignSign{"\uFEFF", "remove it", "byte-order mark inside the file", ""},
};

/// Those of several characters that begin with a sign of the language.
constexpr std::array foreign_digraphs{
    ForeignSign{"->", "a stage starts with `|>`; an arm of a `route` is `CONDITION => STREAM`"},
    ForeignSign{"<>", "write `!=`", nullptr, "!="},
    ForeignSign{":=", "write `=`", nullptr, "="},
    ForeignSign{"&&", "write `and`", nullptr, "and"},
    ForeignSign{"||", "write `or`", nullptr, "or"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool starts_name(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool continues_name(char c) { return starts_name(c) || is_digit(c); }

class Lexer {
 public:
  explicit Lexer(std::shared_ptr<const SourceBuffer> source) : text_(source->text()) {
    buffer_.source = std::move(source);
  }

  TokenBuffer run() {
    for (;;) {
      const bool skipped = skip_blanks();
      touches_ = !skipped && !buffer_.tokens.empty();
      if (at_ >= text_.size()) break;
      next();
    }
    push(TokenKind::End, at_);
    return std::move(buffer_);
  }

 private:
  [[nodiscard]] char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  bool skip_blanks() {
    const std::size_t begin = at_;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else if (c == '#') {
        const std::size_t end = std::min(text_.find('\n', at_), text_.size());
        buffer_.comments.push_back({offset(at_), offset(end)});
        check_encoding(end);
        at_ = end;
      } else {
        break;
      }
    }
    return at_ != begin;
  }

  /// Of a comment up to `end`. Told once, for whoever writes comments so does it everywhere.
  void check_encoding(std::size_t end) {
    for (; at_ < end && !told_encoding_; ++at_) {
      if (static_cast<unsigned char>(text_[at_]) < 0x80) continue;
      const std::size_t length = utf8_length(text_.substr(at_, end - at_));
      if (length == 0) {
        told_encoding_ = true;
        not_utf8(at_++);
      } else {
        at_ += length - 1;
      }
    }
  }

  static std::uint32_t offset(std::size_t at) { return static_cast<std::uint32_t>(at); }

  void push(TokenKind kind, std::size_t begin, std::optional<TokenBuffer::Value> value = {}) {
    Token token{.kind = kind, .touches = touches_, .span = {offset(begin), offset(at_)}};
    if (value) {
      token.value = static_cast<std::uint32_t>(buffer_.values.size());
      buffer_.values.push_back(std::move(*value));
    }
    if (kind == TokenKind::Error) buffer_.has_errors = true;
    buffer_.tokens.push_back(token);
  }

  void next() {
    const char c = peek();
    if (starts_name(c)) return name();
    if (is_digit(c)) return number();
    if (c == '"') return string();
    if (c == '/' && (peek(1) == '/' || peek(1) == '*')) return foreign_comment();
    for (const ForeignSign& sign : foreign_digraphs) {
      if (text_.substr(at_).starts_with(sign.sign)) {
        const std::size_t begin = at_;
        at_ += sign.sign.size();
        return error(DiagnosticCode::K0101, begin, fmt::format("unexpected `{}`", sign.sign),
                     std::string{sign.help}, sign.replacement);
      }
    }
    for (const Spelling& symbol : symbols) {
      if (text_.substr(at_).starts_with(symbol.text)) {
        const std::size_t begin = at_;
        at_ += symbol.text.size();
        return push(symbol.kind, begin);
      }
    }
    unexpected();
  }

  void name() {
    const std::size_t begin = at_;
    while (continues_name(peek())) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    for (const Spelling& keyword : keywords) {
      if (keyword.text == word) return push(keyword.kind, begin);
    }
    push(TokenKind::Name, begin);
  }

  /// Digits with single underscores between them; false if an underscore stands elsewhere.
  bool digits(std::string& plain) {
    bool fine = is_digit(peek());
    while (is_digit(peek()) || peek() == '_') {
      if (peek() == '_') {
        fine = fine && is_digit(peek(1)) && at_ > 0 && is_digit(text_[at_ - 1]);
      } else {
        plain += peek();
      }
      ++at_;
    }
    return fine;
  }

  void number() {
    const std::size_t begin = at_;
    std::string plain;
    bool fine = digits(plain);
    bool whole = true;
    if (peek() == '.' && is_digit(peek(1))) {
      whole = false;
      plain += '.';
      ++at_;
      fine = digits(plain) && fine;
    }
    const std::size_t sign = peek(1) == '+' || peek(1) == '-' ? 1 : 0;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(1 + sign))) {
      whole = false;
      plain += 'e';
      if (sign == 1 && peek(1) == '-') plain += '-';
      at_ += 1 + sign;
      fine = digits(plain) && fine;
    }
    const std::size_t unit_begin = at_;
    while (continues_name(peek())) ++at_;
    const std::string_view unit = text_.substr(unit_begin, at_ - unit_begin);
    if (!fine) {
      return error(DiagnosticCode::K0103, begin, "bad number",
                   "an underscore stands between two digits");
    }
    if (!unit.empty()) return quantity(begin, plain, whole, unit);
    if (!whole) {
      double value = 0;
      const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value);
      if (read.ec != std::errc{}) {
        return error(DiagnosticCode::K0103, begin, "number out of range",
                     "an `f64` ends at 1.8e308");
      }
      return push(TokenKind::Float, begin, value);
    }
    const std::optional<std::int64_t> value = integer(plain);
    if (!value && plain == "9223372036854775808" && after_sign()) {
      return push(TokenKind::Integer, begin, std::numeric_limits<std::int64_t>::min());
    }
    if (!value) return out_of_range(begin);
    push(TokenKind::Integer, begin, *value);
  }

  /// Whether the token before is a `-` that subtracts from nothing.
  [[nodiscard]] bool after_sign() const {
    const std::vector<Token>& tokens = buffer_.tokens;
    if (tokens.empty() || tokens.back().kind != TokenKind::Minus) return false;
    if (tokens.size() == 1) return true;
    switch (tokens[tokens.size() - 2].kind) {
      case TokenKind::Name:
      case TokenKind::Integer:
      case TokenKind::Float:
      case TokenKind::Duration:
      case TokenKind::String:
      case TokenKind::True:
      case TokenKind::False:
      case TokenKind::Null:
      case TokenKind::CloseParen:
      case TokenKind::CloseBracket:
      case TokenKind::Error:
        return false;
      default:
        return true;
    }
  }

  static std::optional<std::int64_t> integer(std::string_view plain) {
    std::int64_t value = 0;
    const auto read = std::from_chars(plain.data(), plain.data() + plain.size(), value);
    if (read.ec != std::errc{}) return std::nullopt;
    return value;
  }

  void quantity(std::size_t begin, std::string_view plain, bool whole, std::string_view unit) {
    for (const Unit& known : units) {
      if (known.name != unit) continue;
      if (!whole) {
        return error(DiagnosticCode::K0103, begin, "bad number",
                     "a duration or a size is a whole number of a smaller unit");
      }
      const std::optional<std::int64_t> count = integer(plain);
      std::int64_t value = 0;
      if (!count || __builtin_mul_overflow(*count, known.factor, &value))
        return out_of_range(begin);
      if (known.duration) return push(TokenKind::Duration, begin, std::chrono::milliseconds(value));
      return push(TokenKind::Integer, begin, value);
    }
    // `2026-01-01T00:00:00Z` without quotes
    const bool time = unit.size() == 3 && unit[0] == 'T' && is_digit(unit[1]) && is_digit(unit[2]);
    error(DiagnosticCode::K0103, begin, fmt::format("bad number: unknown unit `{}`", unit),
          time ? "write a timestamp in quotes: `\"2026-01-01T00:00:00Z\"`"
               : "durations: `ms s m h`; sizes: `B KB MB GB KiB MiB GiB`");
  }

  void out_of_range(std::size_t begin) {
    error(DiagnosticCode::K0103, begin, "number out of range",
          "an `i64` ends at 9223372036854775807");
  }

  void string() {
    const std::size_t begin = at_;
    ScannedString scanned = scan_string(text_, at_);
    at_ = scanned.end;
    if (!scanned.error) return push(TokenKind::String, begin, std::move(scanned.literal));
    push(TokenKind::Error, begin, std::move(*scanned.error));
  }

  void unexpected() {
    const std::size_t begin = at_;
    const std::size_t length = utf8_length(text_.substr(at_));
    at_ += length == 0 ? 1 : length;
    if (length == 0) {
      // One error for a run of bytes that are no text.
      while (at_ < text_.size() && utf8_length(text_.substr(at_)) == 0) ++at_;
      told_encoding_ = true;
      return not_utf8(begin);
    }
    const std::string_view found = text_.substr(begin, length);
    if (static_cast<unsigned char>(found.front()) < 0x20 || found == "\x7F") {
      return error(DiagnosticCode::K0101, begin, "unexpected control character", "");
    }
    for (const ForeignSign& known : foreign_signs) {
      if (known.sign != found) continue;
      const bool blank = known.name != nullptr;
      return error(DiagnosticCode::K0101, begin,
                   fmt::format("unexpected {}",
                               blank ? std::string{known.name} : fmt::format("`{}`", found)),
                   std::string{known.help}, known.replacement);
    }
    const bool letter = static_cast<unsigned char>(found.front()) >= 0x80;
    error(DiagnosticCode::K0101, begin, fmt::format("unexpected `{}`", found),
          letter ? "names are made of `A`–`Z`, `a`–`z`, `0`–`9` and `_`" : "");
  }

  void not_utf8(std::size_t begin) {
    error(DiagnosticCode::K0101, begin, "the file is not UTF-8 here",
          "save the file in the encoding UTF-8");
  }

  /// The comment of another language; its text is no more of this one than a comment's is.
  void foreign_comment() {
    const std::size_t begin = at_;
    const bool block = peek(1) == '*';
    at_ += 2;
    error(DiagnosticCode::K0101, begin, fmt::format("unexpected `{}`", text_.substr(begin, 2)),
          "a comment starts with `#`");
    const std::size_t line = std::min(text_.find('\n', at_), text_.size());
    const std::size_t close = block ? text_.find("*/", at_) : std::string_view::npos;
    at_ = close == std::string_view::npos ? line : close + 2;
  }

  void error(DiagnosticCode code, std::size_t begin, std::string message, std::string help,
             const char* replacement = nullptr) {
    LexicalError error{.code = code,
                       .span = {offset(begin), offset(at_)},
                       .message = std::move(message),
                       .label = {},
                       .help = std::move(help)};
    if (replacement != nullptr) error.replacement = replacement;
    push(TokenKind::Error, begin, std::move(error));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool touches_ = false;
  bool told_encoding_ = false;
  TokenBuffer buffer_;
};

}  // namespace

TokenBuffer lex(std::shared_ptr<const SourceBuffer> source) {
  return Lexer(std::move(source)).run();
}

}  // namespace kaspar::dsl
