#include "dsl/parse/token_cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/core/excerpt.hpp"

namespace kaspar::dsl {

const std::vector<std::string_view> item_words{"use",   "param",  "schema",  "fn",
                                               "model", "source", "sink",    "stream",
                                               "from",  "on",     "deliver", "test"};

void TokenCursor::fail(std::string message, std::string help, DiagnosticCode code,
                       std::vector<RelatedSpan> related, std::vector<Fix> fixes) {
  if (lost_) return;
  lost_ = true;
  Diagnostic diagnostic{.code = code,
                        .source = tokens_.source,
                        .span = peek().span,
                        .message = std::move(message),
                        .related = std::move(related),
                        .help = std::move(help),
                        .fixes = std::move(fixes)};
  if (is(TokenKind::Error)) {
    const auto& error = tokens_.value<LexicalError>(peek());
    diagnostic.code = error.code;
    diagnostic.span = error.span;
    diagnostic.message = error.message;
    diagnostic.label = error.label;
    diagnostic.related.clear();
    if (diagnostic.fixes.empty()) {
      diagnostic.help = error.help;
      if (error.replacement) {
        diagnostic.fixes.push_back({error.span, *error.replacement, error.help});
      }
    }
  }
  diagnostics_.add(std::move(diagnostic));
}

void TokenCursor::fail_at(Span span, std::string message, std::string help) {
  if (lost_) return;
  lost_ = true;
  complain_at(span, std::move(message), std::move(help));
}

void TokenCursor::complain_at(Span span, std::string message, std::string help,
                              std::vector<Fix> fixes) {
  diagnostics_.add({.source = tokens_.source,
                    .span = span,
                    .message = std::move(message),
                    .help = std::move(help),
                    .fixes = std::move(fixes)});
}

void TokenCursor::fail_unknown(Span span, std::string_view word, std::string_view what,
                               const std::vector<std::string_view>& words) {
  if (lost_) return;
  lost_ = true;
  const std::string_view meant = did_you_mean(word, words);
  Diagnostic diagnostic{.source = tokens_.source,
                        .span = span,
                        .message = fmt::format("unknown {} {}", what, excerpt(word))};
  if (meant.empty()) {
    diagnostic.help = fmt::format("{}s: `{}`", what, fmt::join(words, " "));
  } else {
    diagnostic.help = fmt::format("did you mean `{}`?", meant);
    diagnostic.fixes.push_back({span, std::string{meant}, fmt::format("write `{}`", meant)});
  }
  diagnostics_.add(std::move(diagnostic));
}

std::string TokenCursor::found() const {
  const TokenKind kind = peek().kind;
  const bool own_text = kind == TokenKind::Name || kind == TokenKind::Integer ||
                        kind == TokenKind::Float || kind == TokenKind::Duration;
  return own_text ? excerpt(text()) : std::string{describe(kind)};
}

void TokenCursor::fail_expected(std::string_view what, std::string_view help,
                                std::vector<Fix> fixes) {
  fail(fmt::format("expected {}, found {}", what, found()), std::string{help},
       DiagnosticCode::K0101, {}, std::move(fixes));
}

void TokenCursor::fail_expected_word(std::string_view what,
                                     const std::vector<std::string_view>& words,
                                     std::string_view help) {
  const std::string_view meant =
      is(TokenKind::Name) ? did_you_mean(text(), words) : std::string_view{};
  if (meant.empty()) return fail_expected(what, help);
  fail_expected(what, fmt::format("did you mean `{}`?", meant),
                {{peek().span, std::string{meant}, fmt::format("write `{}`", meant)}});
}

void TokenCursor::fail_missing_comma(std::string_view what) {
  const std::uint32_t end = at_ == 0 ? 0 : tokens_.tokens[at_ - 1].span.end;
  fail_expected(fmt::format("`,` between {}", what), "put a comma before it",
                {{{end, end}, ",", "put a comma"}});
}

void TokenCursor::fail_unclosed(TokenKind close, Span open) {
  fail(fmt::format("expected {}, found {}", describe(close), found()),
       fmt::format("close it with {}", describe(close)), DiagnosticCode::K0101,
       {{open, "opened here"}});
}

bool TokenCursor::expect(TokenKind kind, std::string_view after, std::string_view help) {
  if (accept(kind)) return true;
  std::vector<Fix> fixes;
  if ((kind == TokenKind::Equal && is(TokenKind::Colon)) ||
      (kind == TokenKind::Colon && is(TokenKind::Equal) && after == "after the option's name")) {
    const std::string sign = kind == TokenKind::Equal ? "=" : ":";
    fixes.push_back({peek().span, sign, fmt::format("write `{}`", sign)});
  }
  fail_expected(fmt::format("{} {}", describe(kind), after), help, std::move(fixes));
  return false;
}

bool TokenCursor::expect_word(std::string_view word, std::string_view after,
                              std::string_view help) {
  if (accept_word(word)) return true;
  fail_expected_word(fmt::format("`{}` {}", word, after), {word}, help);
  return false;
}

ast::Name TokenCursor::expect_name(std::string_view what, std::string_view help) {
  if (lost_) return {};
  // An item that starts here was not meant as a name: what stands before it is incomplete.
  if (is(TokenKind::Name) && !at_item()) {
    const Token& token = advance();
    return {.text = std::string{tokens_.text(token)}, .span = token.span};
  }
  if (is_reserved(peek().kind)) {
    ast::Name name{.text = std::string{text()}, .span = peek().span};
    if (told_reserved_.insert(peek().kind).second) {
      fail(fmt::format("`{}` is reserved", text()), "choose another name", DiagnosticCode::K0202);
    } else {
      advance();
    }
    return name;
  }
  fail_expected(what, help);
  if (is(TokenKind::String)) {
    const std::string quoted = tokens_.value<StringLiteral>(peek()).text();
    return {.text = quoted, .span = peek().span};
  }
  std::size_t behind = 0;
  while (is(TokenKind::Error, behind)) ++behind;
  if (behind == 0 || !is(TokenKind::Name, behind)) return {};
  return {.text = std::string{text(behind)}, .span = peek(behind).span};
}

ast::Name TokenCursor::expect_qualified(std::string_view what) {
  ast::Name name = expect_name(what);
  if (accept(TokenKind::Dot)) {
    const ast::Name part = expect_name("the rest of the name");
    if (part.empty()) return {};  // it was reported; the half that is there names nothing
    name.text += "." + part.text;
    name.span.end = part.span.end;
  }
  return name;
}

ast::NodePtr TokenCursor::expect_string(std::string_view what) {
  auto node = std::make_unique<ast::Node>();
  node->span = peek().span;
  if (lost_) return node;
  if (!is(TokenKind::String)) {
    fail_expected(what);
    return node;
  }
  const Token& token = advance();
  node->kind = ast::Node::Kind::String;
  node->literal = tokens_.value<StringLiteral>(token);
  return node;
}

bool TokenCursor::at_item(std::size_t ahead) const {
  if (!is(TokenKind::Name, ahead)) return false;
  const std::string_view word = text(ahead);
  // A reserved word was meant as a name there, too.
  const auto named = [&] {
    return is(TokenKind::Name, ahead + 1) || is_reserved(peek(ahead + 1).kind);
  };
  const auto named_then = [&](TokenKind next) { return named() && is(next, ahead + 2); };
  if (word == "pipe") return is(TokenKind::Integer, ahead + 1);
  if (word == "use" || word == "test") return is(TokenKind::String, ahead + 1);
  if (word == "param") return named_then(TokenKind::Colon);
  if (word == "schema") return named_then(TokenKind::OpenBrace);
  if (word == "fn") return named_then(TokenKind::OpenParen);
  if (word == "model" || word == "source" || word == "sink" || word == "stream") {
    return named_then(TokenKind::Equal);
  }
  if (word == "from") {
    return named() && (is(TokenKind::Pipe, ahead + 2) || is(TokenKind::OpenParen, ahead + 2));
  }
  if (word == "on") return is_word("error", ahead + 1);
  if (word == "deliver") {
    return is_word("at_least_once", ahead + 1) || is_word("exactly_once", ahead + 1);
  }
  return false;
}

bool TokenCursor::at_damaged_item() const {
  if (!is(TokenKind::Name) || std::ranges::find(item_words, text()) == item_words.end()) {
    return false;
  }
  const bool named = is(TokenKind::Name, 1) || is(TokenKind::String, 1);
  // Between commas it would be an entry of the block that is damaged.
  if (!named || is(TokenKind::Comma, 2) || is(TokenKind::CloseBrace, 2)) return false;
  const std::string_view before = tokens_.source->text({0, peek().span.begin});
  const std::size_t last = before.find_last_not_of(" \t\r");
  return last == std::string_view::npos || before[last] == '\n';
}

void TokenCursor::recover(bool to_stage) {
  lost_ = false;
  while (!is(TokenKind::End) && !(to_stage && is(TokenKind::Pipe)) && !at_item() &&
         !at_damaged_item()) {
    advance();
  }
}

}  // namespace kaspar::dsl
