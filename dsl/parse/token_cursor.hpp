// Where the parser stands in the tokens, and whether it has lost its way.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/lex/token_buffer.hpp"
#include "dsl/parse/ast.hpp"

namespace kaspar::dsl {

/// The words that items start with.
extern const std::vector<std::string_view> item_words;

/// After the first error of an item or stage the cursor is lost: every accept fails and nothing
/// more is reported until recover().
class TokenCursor {
 public:
  TokenCursor(const TokenBuffer& tokens, Diagnostics& diagnostics)
      : tokens_(tokens), diagnostics_(diagnostics) {}

  [[nodiscard]] const Token& peek(std::size_t ahead = 0) const {
    return tokens_.tokens[std::min(at_ + ahead, tokens_.tokens.size() - 1)];
  }
  [[nodiscard]] std::string_view text(std::size_t ahead = 0) const {
    return tokens_.text(peek(ahead));
  }
  [[nodiscard]] bool is(TokenKind kind, std::size_t ahead = 0) const {
    return peek(ahead).kind == kind;
  }
  [[nodiscard]] bool is_word(std::string_view word, std::size_t ahead = 0) const {
    return is(TokenKind::Name, ahead) && text(ahead) == word;
  }
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  [[nodiscard]] std::size_t index() const noexcept { return at_; }
  [[nodiscard]] const TokenBuffer& tokens() const noexcept { return tokens_; }

  const Token& advance() {
    const Token& token = peek();
    if (at_ + 1 < tokens_.tokens.size()) ++at_;
    return token;
  }
  bool accept(TokenKind kind) {
    if (lost_ || !is(kind)) return false;
    advance();
    return true;
  }
  bool accept_word(std::string_view word) {
    if (lost_ || !is_word(word)) return false;
    advance();
    return true;
  }

  /// The token, or an error at what stands there instead.
  bool expect(TokenKind kind, std::string_view after, std::string_view help = {});
  bool expect_word(std::string_view word, std::string_view after, std::string_view help = {});
  /// A name; empty and an error where none stands. A reserved word is K0202 the first time, and a
  /// name from then on: its uses are not wrong again. Of a name behind signs that are no text of
  /// the language the name is given, so that its uses are known; so is one in quotes.
  ast::Name expect_name(std::string_view what, std::string_view help = {});
  /// `N` or `N.N`.
  ast::Name expect_qualified(std::string_view what);
  /// A string as a node.
  ast::NodePtr expect_string(std::string_view what);

  /// Reports `message` at the next token, or that token's own lexical error; the cursor is then
  /// lost.
  void fail(std::string message, std::string help = {}, DiagnosticCode code = DiagnosticCode::K0101,
            std::vector<RelatedSpan> related = {}, std::vector<Fix> fixes = {});
  /// "expected `,` between WHATs": one is missing before the next token.
  void fail_missing_comma(std::string_view what);
  /// The bracket or brace that `open` needs is missing.
  void fail_unclosed(TokenKind close, Span open);
  /// Reports without losing the place: what follows is parsed as meant.
  void complain_at(Span span, std::string message, std::string help, std::vector<Fix> fixes = {});
  /// Reports at a token that was read already.
  void fail_at(Span span, std::string message, std::string help);
  /// Reports an unknown word of the language, with the one that was probably meant.
  void fail_unknown(Span span, std::string_view word, std::string_view what,
                    const std::vector<std::string_view>& words);
  /// "expected WHAT, found …".
  void fail_expected(std::string_view what, std::string_view help = {},
                     std::vector<Fix> fixes = {});
  /// The same where one of these words belongs; of a misspelt one, with what was meant.
  void fail_expected_word(std::string_view what, const std::vector<std::string_view>& words,
                          std::string_view help = {});

  /// Goes on as if the next `count` tokens, which were reported, did not stand there.
  void skip(std::size_t count) {
    lost_ = false;
    for (; count > 0; --count) advance();
  }
  /// Skips to the next item, a damaged one included, or, with `to_stage`, to the next `|>` if that
  /// comes first.
  void recover(bool to_stage);
  /// Whether an item starts at this token: its word, followed by what that item needs.
  [[nodiscard]] bool at_item(std::size_t ahead = 0) const;

 private:
  /// The next token, as messages name it.
  [[nodiscard]] std::string found() const;
  /// Whether a damaged item starts here: its word, first on its line, and a name or a string.
  [[nodiscard]] bool at_damaged_item() const;

  const TokenBuffer& tokens_;
  Diagnostics& diagnostics_;
  std::size_t at_ = 0;
  bool lost_ = false;
  std::set<TokenKind> told_reserved_;
};

}  // namespace kaspar::dsl
