// Expressions, values of options, and braces of options.
#pragma once

#include "dsl/parse/ast.hpp"
#include "dsl/parse/token_cursor.hpp"

namespace kaspar::dsl {

class ExpressionParser {
 public:
  explicit ExpressionParser(TokenCursor& cursor) : cursor_(cursor) {}

  /// Each returns a node of Kind::Error where the cursor got lost.
  ast::NodePtr expression();
  ast::NodePtr value();
  /// `[ expr, … ]`
  ast::NodePtr list();
  /// `{ name: value, … }`; not present where no brace stands.
  ast::Options options();

 private:
  /// The brace at the end of entries of the form `name SIGN value`.
  void close_entries(TokenKind sign, Span open);
  /// Reports what another language would go on with after an expression.
  void refuse_foreign_words(const ast::Node& before);
  ast::NodePtr binary(int level);
  ast::NodePtr unary();
  ast::NodePtr postfix();
  ast::NodePtr primary();
  ast::NodePtr table();
  void elements(ast::Node& into, TokenKind close, bool values, Span open);
  ast::NodePtr make(ast::Node::Kind kind, Span span) const;
  ast::NodePtr error() const;

  TokenCursor& cursor_;
  std::size_t depth_ = 0;
};

}  // namespace kaspar::dsl
