#include "dsl/parse/chain_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

namespace kaspar::dsl {
namespace {

const std::vector<std::string_view> stage_words{"parse",       "filter", "derive", "keep", "vector",
                                                "standardize", "apply",  "route",  "to"};

}  // namespace

ast::Chain ChainParser::chain(ast::Name stream, bool& damaged) {
  ast::Chain chain;
  chain.stream = std::move(stream);
  chain.from = cursor_.advance().span;
  inputs(chain);
  damaged = cursor_.lost();
  if (damaged) cursor_.recover(true);
  while (!cursor_.is(TokenKind::End)) {
    if (cursor_.is(TokenKind::Pipe)) {
      chain.stages.push_back(stage(cursor_.advance().span));
    } else if (!without_mark(chain)) {
      break;
    }
    damaged = damaged || (!chain.stages.empty() && chain.stages.back().damaged);
    if (cursor_.lost()) cursor_.recover(true);
  }
  return chain;
}

void ChainParser::inputs(ast::Chain& chain) {
  const bool listed =
      cursor_.is_word("merge") && cursor_.is(TokenKind::Name, 1) &&
      (cursor_.is(TokenKind::Comma, 2) || (cursor_.is(TokenKind::Pipe, 2) && !cursor_.at_item(1)));
  if (listed) {
    cursor_.advance();
    return cursor_.fail_expected("`(` after `merge`", "write `merge(A, B)`");
  }
  if (!cursor_.is_word("merge") || !cursor_.is(TokenKind::OpenParen, 1)) {
    chain.inputs.push_back(
        cursor_.expect_name("a source or stream", "names stand without quotes: `from SOURCE`"));
    return;
  }
  chain.merge = true;
  cursor_.advance();
  cursor_.advance();
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseParen)) {
    chain.inputs.push_back(cursor_.expect_name("a source or stream"));
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  cursor_.expect(TokenKind::CloseParen, "after the inputs of the merge");
}

bool ChainParser::is_stage_word(std::size_t ahead) const {
  return cursor_.is(TokenKind::Name, ahead) &&
         std::ranges::find(stage_words, cursor_.text(ahead)) != stage_words.end();
}

bool ChainParser::without_mark(ast::Chain& chain) {
  if (cursor_.at_item()) return false;
  if (is_stage_word()) {
    const Span word = cursor_.peek().span;
    cursor_.complain_at(word, "expected `|>` before the stage",
                        fmt::format("write `|> {}`", cursor_.text()),
                        {{{word.begin, word.begin}, "|> ", "write `|>`"}});
    chain.stages.push_back(stage(cursor_.peek().span));
    return true;
  }
  if (cursor_.is(TokenKind::Name) && cursor_.is(TokenKind::Name, 1) && !chain.stages.empty() &&
      !did_you_mean(cursor_.text(), {"else"}).empty()) {
    cursor_.complain_at(cursor_.peek().span,
                        fmt::format("expected `|>` or an item, found `{}`", cursor_.text()),
                        "did you mean `else`?", {{cursor_.peek().span, "else", "write `else`"}});
    cursor_.advance();
    chain.stages.back().on_error = cursor_.expect_name("a sink, `drop` or `fail`");
    return true;
  }
  // An item of an unknown word or without what it needs, not what the stage before would go on
  // with.
  const bool item = cursor_.is(TokenKind::Name, 1) || cursor_.is(TokenKind::String, 1) ||
                    std::ranges::find(item_words, cursor_.text()) != item_words.end();
  if (cursor_.is(TokenKind::Name) && item) return false;
  const Span start = cursor_.peek().span;
  const std::size_t mark = mark_length();
  std::vector<Fix> fixes;
  if (mark != 0 && !cursor_.text().starts_with('/')) {  // but for a foreign comment
    fixes.push_back({{start.begin, cursor_.peek(mark - 1).span.end}, "|>", "write `|>`"});
  }
  const bool meant = mark != 0 || cursor_.is(TokenKind::Arrow) || cursor_.is(TokenKind::Greater);
  cursor_.fail_expected("`|>` or an item", meant ? "a stage starts with `|>`" : "",
                        std::move(fixes));
  if (mark != 0) {
    cursor_.skip(mark);  // the stage itself is as meant
    chain.stages.push_back(stage(start));
    return true;
  }
  // What was meant here is unknown, and so is what it would have done to the columns; the stage
  // before may have been meant to go on.
  if (!chain.stages.empty()) chain.stages.back().damaged = true;
  chain.stages.push_back({.word = {}, .span = start, .damaged = true});
  return true;
}

std::size_t ChainParser::mark_length() const {
  constexpr std::size_t longest_mark = 2;
  for (std::size_t length = 1; length <= longest_mark; ++length) {
    if (cursor_.is(TokenKind::Name, length - 1)) break;
    if (is_stage_word(length)) return length;
  }
  return 0;
}

ast::Stage ChainParser::stage(Span start) {
  ast::Stage stage;
  stage.span = start;
  stage.word = cursor_.expect_name("a stage");
  if (!cursor_.lost()) operands(stage);
  if (!cursor_.lost() && cursor_.accept(TokenKind::Else)) {
    stage.on_error = cursor_.expect_name("a sink, `drop` or `fail`");
  }
  stage.damaged = cursor_.lost();
  return stage;
}

void ChainParser::operands(ast::Stage& stage) {
  const std::string& word = stage.word.text;
  if (word == "parse") {
    parse(stage);
  } else if (word == "filter") {
    stage.operands.push_back(expressions_.expression());
  } else if (word == "derive" || word == "keep") {
    columns(stage, word == "derive");
  } else if (word == "vector") {
    stage.column = cursor_.expect_name("the vector's name");
    cursor_.expect(TokenKind::Equal, "after the vector's name");
    ast::NodePtr list = expressions_.list();
    stage.operands = std::move(list->children);
  } else if (word == "standardize") {
    standardize(stage);
  } else if (word == "apply") {
    apply(stage);
  } else if (word == "route") {
    route(stage);
  } else if (word == "to") {
    stage.sink = cursor_.expect_name("a sink");
    stage.options = expressions_.options();
  } else {
    cursor_.fail_unknown(stage.word.span, word, "stage", stage_words);
  }
}

void ChainParser::parse(ast::Stage& stage) {
  if (cursor_.is(TokenKind::As)) {
    return cursor_.fail_expected("the format to parse", "write `parse csv as SCHEMA`");
  }
  stage.format = cursor_.expect_name("the format to parse");
  cursor_.expect(TokenKind::As, "after the format",
                 fmt::format("write `parse {} as SCHEMA`", stage.format.text));
  stage.schema = cursor_.expect_qualified("the schema's name");
  stage.options = expressions_.options();
}

void ChainParser::standardize(ast::Stage& stage) {
  stage.column = cursor_.expect_name("the column to standardize");
  cursor_.expect_word("using", "after the column",
                      fmt::format("write `standardize {} using \"…\"`", stage.column.text));
  stage.file = cursor_.expect_string("the scaler's file");
}

void ChainParser::columns(ast::Stage& stage, bool with_values) {
  const Span open = cursor_.peek().span;
  cursor_.expect(TokenKind::OpenBrace, "after the stage's word");
  if (!with_values && !cursor_.lost() && cursor_.is(TokenKind::CloseBrace)) {
    return cursor_.fail_expected("a column's name", "`keep` names at least one column");
  }
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseBrace)) {
    ast::Entry entry{
        .name = cursor_.expect_name("a column's name"), .quoted = false, .value = nullptr};
    if (with_values && cursor_.expect(TokenKind::Equal, "after the column's name",
                                      fmt::format("write `{} = VALUE`", entry.name.text))) {
      entry.value = expressions_.expression();
    }
    stage.columns.push_back(std::move(entry));
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  if (cursor_.lost() || cursor_.accept(TokenKind::CloseBrace)) return;
  if (cursor_.is(TokenKind::Name) && !cursor_.at_item()) {
    cursor_.fail_missing_comma("columns");
  } else {
    cursor_.fail_unclosed(TokenKind::CloseBrace, open);
  }
}

void ChainParser::apply(ast::Stage& stage) {
  stage.model = cursor_.expect_qualified("the model's name");
  cursor_.expect(TokenKind::OpenParen, "after the model's name",
                 fmt::format("write `apply {}(x) as y`", stage.model.text));
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseParen)) {
    stage.operands.push_back(expressions_.expression());
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  cursor_.expect(TokenKind::CloseParen, "after the model's arguments",
                 "arguments are separated by commas");
  cursor_.expect(TokenKind::As, "after the arguments", "`apply model(x) as y` names the result");
  stage.column = cursor_.expect_name("the result's name");
  stage.options = expressions_.options();
}

void ChainParser::route(ast::Stage& stage) {
  const Span open = cursor_.peek().span;
  cursor_.expect(TokenKind::OpenBrace, "after `route`");
  bool otherwise = false;
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseBrace) && !ends_route()) {
    ast::RouteArm arm;
    arm.span = cursor_.peek().span;
    if (otherwise) {
      cursor_.fail("`else` is the last arm of a `route`", "move `else` behind the other arms");
      break;
    }
    if (cursor_.accept(TokenKind::Else)) {
      otherwise = true;
    } else {
      arm.condition = expressions_.expression();
    }
    if (!cursor_.expect(TokenKind::Arrow, "after the arm's condition",
                        "an arm is written `CONDITION => STREAM`")) {
      break;
    }
    arm.target = cursor_.expect_name("a stream or `drop`");
    stage.arms.push_back(std::move(arm));
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  if (!cursor_.lost()) end_route(open, otherwise);
  if (cursor_.lost()) name_arms(stage);
}

bool ChainParser::ends_route(std::size_t ahead) const {
  return cursor_.is(TokenKind::End, ahead) || cursor_.is(TokenKind::Pipe, ahead) ||
         cursor_.at_item(ahead);
}

void ChainParser::end_route(Span open, bool otherwise) {
  if (cursor_.is(TokenKind::CloseBrace)) {
    if (otherwise) {
      cursor_.advance();
    } else {
      cursor_.fail("a `route` ends with an `else`", "add `else => drop` or `else => STREAM`");
    }
  } else if (ends_route()) {
    cursor_.fail_unclosed(TokenKind::CloseBrace, open);
  } else {
    cursor_.fail_missing_comma("arms");
  }
}

void ChainParser::name_arms(ast::Stage& stage) {
  for (std::size_t at = 0; !cursor_.is(TokenKind::CloseBrace, at) && !ends_route(at); ++at) {
    const bool mark = cursor_.is(TokenKind::Arrow, at) || cursor_.is(TokenKind::Colon, at) ||
                      cursor_.is(TokenKind::Error, at);
    if (!mark || !cursor_.is(TokenKind::Name, at + 1)) continue;
    ast::RouteArm arm;
    arm.span = cursor_.peek(at + 1).span;
    arm.target = {.text = std::string{cursor_.text(at + 1)}, .span = arm.span};
    stage.arms.push_back(std::move(arm));
  }
}

}  // namespace kaspar::dsl
