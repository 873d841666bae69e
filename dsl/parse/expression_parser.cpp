#include "dsl/parse/expression_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "dsl/parse/parse.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;
using ast::NodePtr;

// From loose to tight; `not` stands between `and` and the comparisons.
constexpr int or_level = 0;
constexpr int and_level = 1;
constexpr int not_level = 2;
constexpr int comparison_level = 3;
constexpr int coalesce_level = 4;
constexpr int sum_level = 5;
constexpr int product_level = 6;
constexpr int unary_level = 7;

int level_of(TokenKind kind) {
  switch (kind) {
    case TokenKind::Or:
      return or_level;
    case TokenKind::And:
      return and_level;
    case TokenKind::EqualEqual:
    case TokenKind::NotEqual:
    case TokenKind::Less:
    case TokenKind::LessEqual:
    case TokenKind::Greater:
    case TokenKind::GreaterEqual:
    case TokenKind::In:
      return comparison_level;
    case TokenKind::Coalesce:
      return coalesce_level;
    case TokenKind::Plus:
    case TokenKind::Minus:
      return sum_level;
    case TokenKind::Star:
    case TokenKind::Slash:
    case TokenKind::Percent:
      return product_level;
    default:
      return -1;
  }
}

/// A word of other languages between operands, in lower case, and what is written instead.
struct ForeignWord {
  std::string_view word;
  std::string_view help;
};

constexpr std::array foreign_words{
    ForeignWord{"and", "write `and`"},
    ForeignWord{"or", "write `or`"},
    ForeignWord{"in", "write `in`"},
    ForeignWord{"not", "write `not`"},
    ForeignWord{"is", "write `== null` or `!= null`"},
    ForeignWord{"between", "write `a <= x and x <= b`"},
    ForeignWord{"like", "there are `contains`, `starts_with` and `ends_with`"},
    ForeignWord{"mod", "write `%`"},
};

void grow(Node& node) {
  for (const NodePtr& child : node.children) node.height = std::max(node.height, child->height + 1);
}

/// Counts the nesting as long as it lives.
class Deeper {
 public:
  explicit Deeper(std::size_t& depth) : depth_(depth) { ++depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  ~Deeper() { --depth_; }

 private:
  std::size_t& depth_;
};

}  // namespace

NodePtr ExpressionParser::make(Node::Kind kind, Span span) const {
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->span = span;
  return node;
}

NodePtr ExpressionParser::error() const { return make(Node::Kind::Error, cursor_.peek().span); }

NodePtr ExpressionParser::expression() {
  const Deeper deeper(depth_);
  if (depth_ > deepest_nesting) {
    cursor_.fail("nested too deeply", "name parts of it by `derive`");
    return error();
  }
  if (!cursor_.is(TokenKind::If)) {
    NodePtr node = binary(or_level);
    if (!cursor_.lost()) refuse_foreign_words(*node);
    return node;
  }
  NodePtr node = make(Node::Kind::If, cursor_.advance().span);
  node->children.push_back(expression());
  if (!cursor_.expect(TokenKind::Then, "after the condition")) return error();
  node->children.push_back(expression());
  if (!cursor_.expect(TokenKind::Else, "after what `then` gives", "an `if` always has an `else`")) {
    return error();
  }
  node->children.push_back(expression());
  node->span.end = node->children.back()->span.end;
  grow(*node);
  return node;
}

NodePtr ExpressionParser::binary(int level) {
  if (level == not_level) {
    if (!cursor_.is(TokenKind::Not)) return binary(level + 1);
    const Deeper deeper(depth_);
    if (depth_ > deepest_nesting) {
      cursor_.fail("nested too deeply", "two `not` are none");
      return error();
    }
    NodePtr node = make(Node::Kind::Not, cursor_.advance().span);
    node->children.push_back(binary(not_level));
    node->span.end = node->children.back()->span.end;
    grow(*node);
    return node;
  }
  if (level == unary_level) return unary();
  NodePtr left = binary(level + 1);
  bool compared = false;
  while (!cursor_.lost() && level_of(cursor_.peek().kind) == level) {
    if (compared) {
      cursor_.fail("comparisons do not chain", "join two of them with `and`");
      return error();
    }
    compared = level == comparison_level;
    NodePtr node = make(Node::Kind::Binary, left->span);
    node->text = std::string{cursor_.text()};
    node->text_span = cursor_.peek().span;
    const bool in = cursor_.advance().kind == TokenKind::In;
    NodePtr right = in ? list() : binary(level + 1);
    node->span.end = right->span.end;
    node->height = 1 + std::max(left->height, right->height);
    node->children.push_back(std::move(left));
    node->children.push_back(std::move(right));
    left = std::move(node);
    if (left->height > highest_tree) {
      cursor_.fail("an expression of too many operators", "name parts of it by `derive`");
      return error();
    }
  }
  return left;
}

void ExpressionParser::refuse_foreign_words(const Node& before) {
  const TokenKind kind = cursor_.peek().kind;
  if (kind == TokenKind::Equal) {
    return cursor_.fail("unexpected `=`", "`==` compares", DiagnosticCode::K0101, {},
                        {{cursor_.peek().span, "==", "write `==`"}});
  }
  if (kind == TokenKind::Question) {
    return cursor_.fail("unexpected `?`", "write `if CONDITION then A else B`");
  }
  const bool callable = before.kind == Node::Kind::Name || before.kind == Node::Kind::Member;
  if (callable && (kind == TokenKind::OpenParen || kind == TokenKind::OpenBracket)) {
    return cursor_.fail(
        fmt::format("unexpected {}", describe(kind)),
        "`(` of a call and `[` of an index touch what stands before them: `f(x)`, `x[0]`");
  }
  if (kind == TokenKind::Not) return cursor_.fail("unexpected `not`", "write `not (x in […])`");
  if (kind != TokenKind::Name || cursor_.at_item()) return;
  std::string word{cursor_.text()};
  std::ranges::transform(word, word.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  for (const ForeignWord& foreign : foreign_words) {
    if (foreign.word != word) continue;
    return cursor_.fail(fmt::format("unexpected `{}`", cursor_.text()), std::string{foreign.help});
  }
}

NodePtr ExpressionParser::unary() {
  if (!cursor_.is(TokenKind::Minus)) return postfix();
  const Deeper deeper(depth_);
  if (depth_ > deepest_nesting) {
    cursor_.fail("nested too deeply", "two `-` are none");
    return error();
  }
  NodePtr node = make(Node::Kind::Negate, cursor_.advance().span);
  // The least i64, which is none without its sign.
  const bool least =
      cursor_.is(TokenKind::Integer) && cursor_.tokens().value<std::int64_t>(cursor_.peek()) ==
                                            std::numeric_limits<std::int64_t>::min();
  node->children.push_back(unary());
  if (least && node->children.back()->kind == Node::Kind::Integer) {
    node->children.back()->span.begin = node->span.begin;
    return std::move(node->children.back());
  }
  node->span.end = node->children.back()->span.end;
  grow(*node);
  return node;
}

NodePtr ExpressionParser::postfix() {
  NodePtr node = primary();
  // A long chain of postfixes is a deep tree as well.
  for (std::size_t links = 0; !cursor_.lost(); ++links) {
    const Token& token = cursor_.peek();
    const bool call = token.kind == TokenKind::OpenParen && token.touches;
    const bool index = token.kind == TokenKind::OpenBracket && token.touches;
    if (!call && !index && token.kind != TokenKind::Dot) return node;
    if (links + depth_ >= deepest_nesting) {
      cursor_.fail("nested too deeply");
      return error();
    }
    NodePtr outer = make(call    ? Node::Kind::Call
                         : index ? Node::Kind::Index
                                 : Node::Kind::Member,
                         node->span);
    outer->children.push_back(std::move(node));
    const Span open = cursor_.advance().span;
    if (call) {
      elements(*outer, TokenKind::CloseParen, false, open);
    } else if (index) {
      outer->children.push_back(expression());
      outer->span.end = cursor_.peek().span.end;
      cursor_.expect(TokenKind::CloseBracket, "after the index");
    } else {
      ast::Name member = cursor_.expect_name("a member's name");
      outer->span.end = member.span.end;
      outer->text = std::move(member.text);
      outer->text_span = member.span;
    }
    grow(*outer);
    node = std::move(outer);
  }
  return node;
}

NodePtr ExpressionParser::primary() {
  if (cursor_.lost()) return error();
  const Token& token = cursor_.peek();
  const TokenBuffer& tokens = cursor_.tokens();
  NodePtr node = make(Node::Kind::Error, token.span);
  switch (token.kind) {
    case TokenKind::Integer:
      node->kind = Node::Kind::Integer;
      node->literal = tokens.value<std::int64_t>(token);
      break;
    case TokenKind::Float:
      node->kind = Node::Kind::Float;
      node->literal = tokens.value<double>(token);
      break;
    case TokenKind::Duration:
      node->kind = Node::Kind::Duration;
      node->literal = tokens.value<std::chrono::milliseconds>(token);
      break;
    case TokenKind::String:
      node->kind = Node::Kind::String;
      node->literal = tokens.value<StringLiteral>(token);
      break;
    case TokenKind::True:
      node->kind = Node::Kind::True;
      break;
    case TokenKind::False:
      node->kind = Node::Kind::False;
      break;
    case TokenKind::Null:
      node->kind = Node::Kind::Null;
      break;
    case TokenKind::Name:
      if (cursor_.at_item()) {
        cursor_.fail_expected("an expression");
        return node;
      }
      node->kind = Node::Kind::Name;
      node->text = std::string{cursor_.text()};
      node->text_span = token.span;
      break;
    case TokenKind::OpenParen: {
      const Span open = cursor_.advance().span;
      NodePtr inner = expression();
      if (!cursor_.accept(TokenKind::CloseParen))
        cursor_.fail_unclosed(TokenKind::CloseParen, open);
      return inner;
    }
    case TokenKind::Dot:
      cursor_.fail_expected("an expression", cursor_.is(TokenKind::Integer, 1)
                                                 ? fmt::format("write `0.{}`", cursor_.text(1))
                                                 : std::string{});
      return node;
    default:
      cursor_.fail_expected("an expression");
      return node;
  }
  cursor_.advance();
  return node;
}

/// Up to and with the closing token; a trailing comma is allowed.
void ExpressionParser::elements(Node& into, TokenKind close, bool values, Span open) {
  while (!cursor_.lost() && !cursor_.is(close)) {
    into.children.push_back(values ? value() : expression());
    // A brace closes something outside: the list itself was left open.
    if (!cursor_.accept(TokenKind::Comma) || cursor_.is(TokenKind::CloseBrace)) break;
  }
  into.span.end = cursor_.peek().span.end;
  grow(into);
  if (cursor_.accept(close) || cursor_.lost()) return;
  if (cursor_.is(TokenKind::String) || cursor_.is(TokenKind::Integer) ||
      cursor_.is(TokenKind::Float) || (cursor_.is(TokenKind::Name) && !cursor_.at_item())) {
    cursor_.fail_missing_comma("entries");
  } else {
    cursor_.fail_unclosed(close, open);
  }
}

NodePtr ExpressionParser::list() {
  NodePtr node = make(Node::Kind::List, cursor_.peek().span);
  if (!cursor_.expect(TokenKind::OpenBracket, "at the start of a list")) return error();
  elements(*node, TokenKind::CloseBracket, false, node->span);
  return node;
}

NodePtr ExpressionParser::value() {
  const Deeper deeper(depth_);
  if (depth_ > deepest_nesting) {
    cursor_.fail("nested too deeply");
    return error();
  }
  if (cursor_.is(TokenKind::OpenBracket)) {
    NodePtr node = make(Node::Kind::List, cursor_.advance().span);
    elements(*node, TokenKind::CloseBracket, true, node->span);
    return node;
  }
  if (cursor_.is(TokenKind::OpenBrace)) return table();
  const bool lines =
      cursor_.is_word("lines") && cursor_.is_word("file", 1) && cursor_.is(TokenKind::String, 2);
  if (lines || (cursor_.is_word("file") && cursor_.is(TokenKind::String, 1))) {
    NodePtr node = make(lines ? Node::Kind::LinesFile : Node::Kind::File, cursor_.advance().span);
    if (lines) cursor_.advance();
    node->text_span = cursor_.peek().span;
    node->literal = cursor_.tokens().value<StringLiteral>(cursor_.advance());
    node->span.end = node->text_span.end;
    return node;
  }
  return expression();
}

NodePtr ExpressionParser::table() {
  const Span open = cursor_.advance().span;
  NodePtr node = make(Node::Kind::Table, open);
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseBrace)) {
    ast::Entry entry;
    if (cursor_.is(TokenKind::String)) {
      entry.quoted = true;
      entry.name.span = cursor_.peek().span;
      entry.name.text = cursor_.tokens().value<StringLiteral>(cursor_.advance()).text();
    } else {
      entry.name = cursor_.expect_name("an entry's name");
    }
    if (cursor_.is(TokenKind::Colon)) {
      cursor_.fail_expected("`=` after the entry's name",
                            "an entry here is written `name = VALUE`");
      break;
    }
    if (cursor_.accept(TokenKind::Equal)) entry.value = value();
    node->entries.push_back(std::move(entry));
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  node->span.end = cursor_.peek().span.end;
  close_entries(TokenKind::Equal, open);
  return node;
}

void ExpressionParser::close_entries(TokenKind sign, Span open) {
  if (cursor_.lost() || cursor_.accept(TokenKind::CloseBrace)) return;
  if (cursor_.is(TokenKind::Colon) || cursor_.is(TokenKind::Equal)) {
    const std::string_view form = sign == TokenKind::Colon ? "name: VALUE" : "name = VALUE";
    return cursor_.fail_expected("`,` or `}`", fmt::format("an entry here is written `{}`", form));
  }
  std::size_t name = 0;
  while (cursor_.is(TokenKind::Name, name) && cursor_.is(TokenKind::Dot, name + 1)) name += 2;
  if (cursor_.is(TokenKind::Name, name) &&
      (cursor_.is(TokenKind::Colon, name + 1) || cursor_.is(TokenKind::Equal, name + 1))) {
    return cursor_.fail_missing_comma("entries");
  }
  cursor_.fail_unclosed(TokenKind::CloseBrace, open);
}

ast::Options ExpressionParser::options() {
  ast::Options options;
  if (cursor_.lost() || !cursor_.is(TokenKind::OpenBrace)) return options;
  options.present = true;
  options.span = cursor_.advance().span;
  while (!cursor_.lost() && !cursor_.is(TokenKind::CloseBrace)) {
    ast::Entry entry{
        .name = cursor_.expect_name(
            "an option's name",
            options.entries.empty() ? std::string_view{} : "several values are a list: `[…, …]`"),
        .quoted = false,
        .value = nullptr};
    while (cursor_.accept(TokenKind::Dot)) {
      const ast::Name part = cursor_.expect_name("the rest of the option's name");
      entry.name.text += "." + part.text;
      entry.name.span.end = part.span.end;
    }
    if (!cursor_.expect(TokenKind::Colon, "after the option's name",
                        fmt::format("write `{}: VALUE`", entry.name.text))) {
      break;
    }
    entry.value = value();
    options.entries.push_back(std::move(entry));
    if (!cursor_.accept(TokenKind::Comma)) break;
  }
  const Span open = options.span;
  options.span.end = cursor_.peek().span.end;
  close_entries(TokenKind::Colon, open);
  return options;
}

}  // namespace kaspar::dsl
