#include <fmt/format.h>

#include <utility>

#include "dsl/parse/chain_parser.hpp"
#include "dsl/parse/expression_parser.hpp"
#include "dsl/parse/parse.hpp"

namespace kaspar::dsl {
namespace {

using ast::Name;

class ItemParser {
 public:
  ItemParser(const TokenBuffer& tokens, Diagnostics& diagnostics)
      : cursor_(tokens, diagnostics), expressions_(cursor_), chains_(cursor_, expressions_) {
    file_.source = tokens.source;
  }

  ast::File run() {
    head();
    while (!cursor_.is(TokenKind::End)) {
      const std::size_t before = cursor_.index();
      item();
      if (cursor_.lost()) cursor_.recover(false);
      if (cursor_.index() == before) cursor_.advance();
    }
    return std::move(file_);
  }

 private:
  void head() {
    file_.pipe = cursor_.peek().span;
    if (!cursor_.is_word("pipe")) {
      std::vector<Fix> fixes;
      if (cursor_.at_item()) {
        fixes.push_back({{file_.pipe.begin, file_.pipe.begin}, "pipe 1\n", "write `pipe 1`"});
      }
      cursor_.fail("a file starts with `pipe 1`", "write `pipe 1` as its first line",
                   DiagnosticCode::K0101, {}, std::move(fixes));
      cursor_.recover(false);
      headless_ = true;
      return;
    }
    cursor_.advance();
    if (!cursor_.is(TokenKind::Integer)) {
      cursor_.fail_expected("the version of the language after `pipe`", "write `pipe 1`");
      cursor_.recover(false);
      return;
    }
    if (cursor_.tokens().value<std::int64_t>(cursor_.peek()) != 1) {
      cursor_.fail(fmt::format("unknown version `{}` of the language", cursor_.text()),
                   "this kaspar knows version 1", DiagnosticCode::K0104);
      cursor_.recover(false);
      return;
    }
    cursor_.advance();
  }

  template <class T>
  void add(Span span, T data) {
    file_.items.push_back({.span = span, .damaged = cursor_.lost(), .data = std::move(data)});
  }

  void item() {
    const Span span = cursor_.peek().span;
    if (!cursor_.is(TokenKind::Name)) {
      const bool dashes = cursor_.is(TokenKind::Minus) && cursor_.is(TokenKind::Minus, 1) &&
                          cursor_.peek(1).touches;
      return cursor_.fail_expected("an item", dashes ? "a comment starts with `#`"
                                              : cursor_.is(TokenKind::Pipe)
                                                  ? "a chain starts with `from SOURCE`"
                                                  : "");
    }
    const std::string word{cursor_.text()};
    if (word == "from") return chain(span, {});
    cursor_.advance();
    if (word == "pipe") {
      if (cursor_.is(TokenKind::Integer)) cursor_.advance();
      if (std::exchange(headless_, false)) return;  // that it does not stand first is said
      return cursor_.fail_at(span, "`pipe` stands once, at the start of the file", {});
    }
    if (word == "use") return use(span);
    if (word == "param") return param(span);
    if (word == "schema") return schema(span);
    if (word == "fn") return function(span);
    if (word == "model") return model(span);
    if (word == "source" || word == "sink") return endpoint(span, word == "source");
    if (word == "stream") return stream(span);
    if (word == "on") return on_error(span);
    if (word == "deliver") {
      Name guarantee = cursor_.expect_name("`at_least_once` or `exactly_once`");
      return add(span, ast::Deliver{std::move(guarantee)});
    }
    if (word == "test") return test(span);
    // What it would define is known by name, so that its uses are not reported too.
    Name name;
    if (cursor_.is(TokenKind::Name) &&
        (cursor_.is(TokenKind::Equal, 1) || cursor_.is(TokenKind::OpenBrace, 1) ||
         cursor_.is(TokenKind::Colon, 1) || cursor_.is(TokenKind::OpenParen, 1))) {
      name = cursor_.expect_name("its name");
    }
    cursor_.fail_unknown(span, word, "item", item_words);
    if (!name.empty()) add(span, ast::UnknownItem{std::move(name)});
  }

  void use(Span span) {
    ast::Use use;
    use.file = cursor_.expect_string("the file to use");
    cursor_.expect(TokenKind::As, "after the file",
                   "its items are named through a prefix: `use \"…\" as NAME`");
    use.name = cursor_.expect_name("the name that its items get");
    add(span, std::move(use));
  }

  void param(Span span) {
    ast::Param param{.name = cursor_.expect_name("the parameter's name")};
    cursor_.expect(TokenKind::Colon, "after the parameter's name");
    param.type = type();
    cursor_.expect(TokenKind::Equal, "after the parameter's type", "a parameter has a default");
    param.value = expressions_.expression();
    param.options = expressions_.options();
    add(span, std::move(param));
  }

  void schema(Span span) {
    ast::Schema schema{.name = cursor_.expect_name("the schema's name")};
    const Span open = cursor_.peek().span;
    cursor_.expect(TokenKind::OpenBrace, "after the schema's name");
    fields(schema.fields, TokenKind::CloseBrace, true, open);
    add(span, std::move(schema));
  }

  void fields(std::vector<ast::Field>& into, TokenKind close, bool with_from, Span open) {
    while (!cursor_.lost() && !cursor_.is(close)) {
      if (cursor_.at_item() || cursor_.is(TokenKind::End))
        return cursor_.fail_unclosed(close, open);
      ast::Field field{.name = cursor_.expect_name("a field's name")};
      cursor_.expect(TokenKind::Colon, "after the field's name",
                     fmt::format("write `{}: TYPE`", field.name.text));
      field.type = type();
      if (with_from && cursor_.accept_word("from")) {
        field.from = cursor_.expect_string("the name of the input's column");
        if (cursor_.accept(TokenKind::Range)) {
          field.from_to = cursor_.expect_string("the name of the last of the input's columns");
        }
      }
      into.push_back(std::move(field));
      if (!cursor_.accept(TokenKind::Comma)) break;
    }
    if (cursor_.lost() || cursor_.accept(close)) return;
    if (cursor_.is(TokenKind::Name) && cursor_.is(TokenKind::Colon, 1)) {
      cursor_.fail_missing_comma("fields");
    } else if (cursor_.is(TokenKind::OpenBracket) || cursor_.is(TokenKind::OpenParen)) {
      cursor_.fail_expected("`,` or the end of the fields",
                            "a vector's width stands in brackets right behind its type: `f32[60]`");
    } else {
      cursor_.fail_unclosed(close, open);
    }
  }

  ast::TypeName type() {
    ast::TypeName type{.name = cursor_.expect_qualified("a type")};
    type.span = type.name.span;
    if (cursor_.is(TokenKind::OpenBracket) && cursor_.peek().touches) {
      cursor_.advance();
      type.width_span = cursor_.peek().span;
      if (cursor_.is(TokenKind::Integer)) {
        type.width = cursor_.tokens().value<std::int64_t>(cursor_.advance());
      } else {
        cursor_.fail_expected("the vector's width");
      }
      type.span.end = cursor_.peek().span.end;
      cursor_.expect(TokenKind::CloseBracket, "after the vector's width");
    }
    if (cursor_.is(TokenKind::Question)) {
      type.span.end = cursor_.peek().span.end;
      type.optional = cursor_.accept(TokenKind::Question);
    }
    return type;
  }

  void function(Span span) {
    ast::Function function{.name = cursor_.expect_name("the function's name")};
    const Span open = cursor_.peek().span;
    cursor_.expect(TokenKind::OpenParen, "after the function's name");
    fields(function.parameters, TokenKind::CloseParen, false, open);
    cursor_.expect(TokenKind::Colon, "after the parameters");
    function.result = type();
    cursor_.expect(TokenKind::Equal, "after the result's type");
    function.body = expressions_.expression();
    add(span, std::move(function));
  }

  void model(Span span) {
    ast::Model model{.name = cursor_.expect_name("the model's name")};
    cursor_.expect(TokenKind::Equal, "after the model's name");
    model.format =
        cursor_.expect_name("the model's format", "a model is written `model NAME = onnx \"…\"`");
    model.file = cursor_.expect_string("the model's file");
    model.options = expressions_.options();
    add(span, std::move(model));
  }

  void endpoint(Span span, bool source) {
    ast::Endpoint endpoint{.source = source, .name = cursor_.expect_name("its name")};
    cursor_.expect(TokenKind::Equal, "after the name",
                   fmt::format("write `{} {} = KIND {{ … }}`; names are letters, digits and `_`",
                               source ? "source" : "sink", endpoint.name.text));
    endpoint.kind = cursor_.expect_name(source ? "the kind of source" : "the kind of sink");
    endpoint.options = expressions_.options();
    add(span, std::move(endpoint));
  }

  void stream(Span span) {
    Name name = cursor_.expect_name("the stream's name");
    cursor_.expect(TokenKind::Equal, "after the stream's name");
    if (!cursor_.lost() && !cursor_.is_word("from")) {
      cursor_.fail_expected_word("`from`", {"from"});
    }
    if (cursor_.lost()) {
      ast::Chain damaged;
      damaged.stream = std::move(name);
      return add(span, std::move(damaged));
    }
    chain(span, std::move(name));
  }

  void chain(Span span, Name stream) {
    bool damaged = false;
    ast::Chain chain = chains_.chain(std::move(stream), damaged);
    file_.items.push_back({.span = span, .damaged = damaged, .data = std::move(chain)});
  }

  void on_error(Span span) {
    cursor_.expect_word("error", "after `on`");
    ast::Target target = cursor_.expect_name("a sink, `drop` or `fail`");
    add(span, ast::OnError{std::move(target)});
  }

  void test(Span span) {
    ast::Test test;
    test.name = cursor_.expect_string("the test's name");
    const Span open = cursor_.peek().span;
    cursor_.expect(TokenKind::OpenBrace, "after the test's name");
    while (!cursor_.lost() && !cursor_.is(TokenKind::CloseBrace)) {
      if (cursor_.accept_word("feed")) {
        ast::Feed feed{.endpoint = cursor_.expect_name("a source"), .options = {}};
        feed.options = expressions_.options();
        if (!cursor_.lost() && !feed.options.present) cursor_.fail_expected("`{` after the source");
        test.steps.emplace_back(std::move(feed));
      } else if (cursor_.accept_word("expect")) {
        ast::Expect expect{.endpoint = cursor_.expect_name("a sink"), .none = false, .options = {}};
        expect.none = cursor_.accept_word("none");
        if (!expect.none) expect.options = expressions_.options();
        if (!cursor_.lost() && !expect.none && !expect.options.present) {
          cursor_.fail_expected("`{` or `none` after the sink");
        }
        test.steps.emplace_back(std::move(expect));
      } else if (cursor_.at_item() || cursor_.is(TokenKind::End)) {
        cursor_.fail_unclosed(TokenKind::CloseBrace, open);
      } else {
        cursor_.fail_expected_word("`feed`, `expect` or `}`", {"feed", "expect"});
      }
    }
    cursor_.expect(TokenKind::CloseBrace, "at the end of the test");
    add(span, std::move(test));
  }

  TokenCursor cursor_;
  ExpressionParser expressions_;
  ChainParser chains_;
  ast::File file_;
  bool headless_ = false;  // it does not start with `pipe 1`, and none was found yet
};

}  // namespace

ast::File parse(const TokenBuffer& tokens, Diagnostics& diagnostics) {
  return ItemParser(tokens, diagnostics).run();
}

}  // namespace kaspar::dsl
