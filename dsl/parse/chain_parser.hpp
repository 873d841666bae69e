// Chains and their stages.
#pragma once

#include "dsl/parse/ast.hpp"
#include "dsl/parse/expression_parser.hpp"
#include "dsl/parse/token_cursor.hpp"

namespace kaspar::dsl {

class ChainParser {
 public:
  ChainParser(TokenCursor& cursor, ExpressionParser& expressions)
      : cursor_(cursor), expressions_(expressions) {}

  /// The chain that starts at the word `from`, up to the next item. `damaged` is set where
  /// something in it was reported; the cursor has found its way again then.
  ast::Chain chain(ast::Name stream, bool& damaged);

 private:
  void inputs(ast::Chain& chain);
  [[nodiscard]] bool is_stage_word(std::size_t ahead = 0) const;
  /// Tokens that stand where a `|>` should, as `|` or `->`: a stage follows them. 0: none do.
  [[nodiscard]] std::size_t mark_length() const;
  /// What stands where a `|>` should; false if it belongs to another item.
  bool without_mark(ast::Chain& chain);
  ast::Stage stage(Span start);
  void operands(ast::Stage& stage);
  void parse(ast::Stage& stage);
  void columns(ast::Stage& stage, bool with_values);
  void standardize(ast::Stage& stage);
  void apply(ast::Stage& stage);
  void route(ast::Stage& stage);
  /// Whether what stands there belongs to no `route`.
  [[nodiscard]] bool ends_route(std::size_t ahead = 0) const;
  void end_route(Span open, bool otherwise);
  /// The streams of the arms behind the mistake, so that those who read them are not reported too.
  void name_arms(ast::Stage& stage);

  TokenCursor& cursor_;
  ExpressionParser& expressions_;
};

}  // namespace kaspar::dsl
