#include "dsl/parse/token_cursor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kaspar::dsl {

const std::vector<std::string_view> item_words{"use",   "param",  "schema",  "fn",
                                               "model", "source", "sink",    "stream",
                                               "from",  "on",     "deliver", "test"};

namespace {

bool is_reserved(TokenKind kind) { return kind >= TokenKind::And && kind <= TokenKind::As; }

}  // namespace

void TokenCursor::fail(std::string message, std::string help, DiagnosticCode code,
                       std::vector<RelatedSpan> related) {
  if (lost_) return;
  lost_ = true;
  Diagnostic diagnostic{.code = code,
                        .source = tokens_.source,
                        .span = peek().span,
                        .message = std::move(message),
                        .related = std::move(related),
                        .help = std::move(help)};
  if (is(TokenKind::Error)) {
    const auto& error = tokens_.value<LexicalError>(peek());
    diagnostic.code = error.code;
    diagnostic.span = error.span;
    diagnostic.message = error.message;
    diagnostic.label = error.label;
    diagnostic.help = error.help;
    diagnostic.related.clear();
  }
  diagnostics_.add(std::move(diagnostic));
}

void TokenCursor::fail_at(Span span, std::string message, std::string help) {
  if (lost_) return;
  lost_ = true;
  complain_at(span, std::move(message), std::move(help));
}

void TokenCursor::complain_at(Span span, std::string message, std::string help) {
  diagnostics_.add({.source = tokens_.source,
                    .span = span,
                    .message = std::move(message),
                    .help = std::move(help)});
}

void TokenCursor::fail_unknown(Span span, std::string_view word, std::string_view what,
                               const std::vector<std::string_view>& words) {
  if (lost_) return;
  lost_ = true;
  const std::string_view meant = did_you_mean(word, words);
  Diagnostic diagnostic{.source = tokens_.source,
                        .span = span,
                        .message = fmt::format("unknown {} `{}`", what, word)};
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
  return own_text ? fmt::format("`{}`", text()) : std::string{describe(kind)};
}

void TokenCursor::fail_expected(std::string_view what, std::string_view help) {
  fail(fmt::format("expected {}, found {}", what, found()), std::string{help});
}

void TokenCursor::fail_unclosed(TokenKind close, Span open) {
  fail(fmt::format("expected {}, found {}", describe(close), found()),
       fmt::format("close it with {}", describe(close)), DiagnosticCode::K0101,
       {{open, "opened here"}});
}

bool TokenCursor::expect(TokenKind kind, std::string_view after, std::string_view help) {
  if (accept(kind)) return true;
  fail_expected(fmt::format("{} {}", describe(kind), after), help);
  return false;
}

bool TokenCursor::expect_word(std::string_view word, std::string_view after,
                              std::string_view help) {
  if (accept_word(word)) return true;
  fail_expected(fmt::format("`{}` {}", word, after), help);
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

void TokenCursor::recover(bool to_stage) {
  lost_ = false;
  while (!is(TokenKind::End) && !(to_stage && is(TokenKind::Pipe)) && !at_item()) advance();
}

}  // namespace kaspar::dsl
