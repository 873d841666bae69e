// The types of operators.
#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <utility>

#include "dsl/check/constants.hpp"
#include "dsl/check/expressions.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;
using Kind = Expression::Kind;

constexpr Type bool_type{.scalar = ScalarType::Bool};

bool is_null(const Node& node) { return node.kind == Node::Kind::Null; }

Kind kind_of(std::string_view sign) {
  constexpr std::pair<std::string_view, Kind> kinds[]{
      {"and", Kind::And},     {"or", Kind::Or},           {"==", Kind::Equal},
      {"!=", Kind::NotEqual}, {"<", Kind::Less},          {"<=", Kind::LessEqual},
      {">", Kind::Greater},   {">=", Kind::GreaterEqual}, {"+", Kind::Add},
      {"-", Kind::Subtract},  {"*", Kind::Multiply},      {"/", Kind::Divide},
      {"%", Kind::Remainder}};
  for (const auto& [text, kind] : kinds) {
    if (text == sign) return kind;
  }
  return Kind::Coalesce;
}

Typed made(Kind kind, Type type, Typed a) {
  Typed result{.expression = {.kind = kind, .type = type}};
  result.expression.children.push_back(std::move(a.expression));
  return result;
}

Typed made(Kind kind, Type type, Typed a, Typed b) {
  Typed result = made(kind, type, std::move(a));
  result.expression.children.push_back(std::move(b.expression));
  return result;
}

bool is_number(const Type& type) { return type.is_float() || type.scalar == ScalarType::I64; }

bool has_order(const Type& type) { return type.scalar != ScalarType::Bool; }

}  // namespace

bool ExpressionChecker::adapt(Typed& typed, Type type) {
  Expression& expression = typed.expression;
  type.optional = expression.type.optional;
  if (expression.type == type) return true;
  if (expression.type.is_vector() || type.is_vector()) return false;
  if (typed.literal && expression.kind == Kind::Literal) {
    auto value = adapted(expression.literal, expression.type.scalar, type.scalar);
    if (!value) return false;
    expression.literal = std::move(*value);
    expression.type = type;
    return true;
  }
  const ScalarType from = expression.type.scalar;
  const bool widens = from == ScalarType::F32 && type.scalar == ScalarType::F64;
  if (!widens && !(expression.type.is_text() && type.is_text())) return false;
  Expression inner = std::move(expression);
  expression = {.kind = Kind::Convert, .type = type, .text = inner.text};
  expression.children.push_back(std::move(inner));
  return true;
}

bool ExpressionChecker::scalar(const Typed& typed, std::string_view what) {
  if (!typed.expression.type.is_vector()) return true;
  report_.error(
      DiagnosticCode::K0302, typed.span,
      fmt::format("{} takes no vector, and this is `{}`", what, to_string(typed.expression.type)),
      fmt::format("take an element of it: `{}[0]`", text(typed.span)));
  return false;
}

void ExpressionChecker::mismatch(const Typed& left, const Typed& right, std::string_view what) {
  const Type& a = left.expression.type;
  const Type& b = right.expression.type;
  // A whole number among floats is what has to be converted.
  const bool left_whole = a.scalar == ScalarType::I64 && b.is_float();
  const bool right_whole = b.scalar == ScalarType::I64 && a.is_float();
  const Typed& wrong = left_whole ? left : right;
  const Typed& other = left_whole ? right : left;
  Diagnostic diagnostic{
      .code = DiagnosticCode::K0302,
      .span = wrong.span,
      .message = fmt::format("`{}` of `{}` and `{}`", what, to_string(a), to_string(b)),
      .label = fmt::format("this is `{}`", to_string(wrong.expression.type)),
      .related = {{other.span, fmt::format("this is `{}`", to_string(other.expression.type))}}};
  if (left_whole || right_whole) {
    const std::string fixed = fmt::format("to_f64({})", text(wrong.span));
    diagnostic.help = fmt::format("convert it: `{}`", fixed);
    diagnostic.fixes.push_back({wrong.span, fixed, "convert the whole number"});
  } else if (what == "+" && (a.is_text() || b.is_text())) {
    const Typed& number = a.is_text() ? right : left;
    const std::string fixed = fmt::format("to_string({})", text(number.span));
    diagnostic.span = number.span;
    diagnostic.label = fmt::format("this is `{}`", to_string(number.expression.type));
    const Typed& string = a.is_text() ? left : right;
    diagnostic.related = {
        {string.span, fmt::format("this is `{}`", to_string(string.expression.type))}};
    diagnostic.help = fmt::format("write it as text: `{}`", fixed);
    diagnostic.fixes.push_back({number.span, fixed, "write it as text"});
  }
  report_.add(std::move(diagnostic));
}

bool ExpressionChecker::unify(Typed& left, Typed& right, std::string_view what) {
  if (!scalar(left, fmt::format("`{}`", what)) || !scalar(right, fmt::format("`{}`", what)))
    return false;
  const ScalarType a = left.expression.type.scalar;
  const ScalarType b = right.expression.type.scalar;
  if (a == b) return true;
  const auto as = [](ScalarType type) { return Type{.scalar = type}; };
  // A literal becomes what the other is; else the wider of the two is taken.
  if (left.literal && !right.literal && adapt(left, as(b))) return true;
  if (right.literal && !left.literal && adapt(right, as(a))) return true;
  const bool single = a == ScalarType::F32 || b == ScalarType::F32;
  const bool doubled = a == ScalarType::F64 || b == ScalarType::F64;
  if (single && doubled)
    return adapt(left, as(ScalarType::F64)) && adapt(right, as(ScalarType::F64));
  if (left.expression.type.is_text() && right.expression.type.is_text()) {
    return adapt(left, as(ScalarType::String)) && adapt(right, as(ScalarType::String));
  }
  if (left.literal && right.literal && (adapt(left, as(b)) || adapt(right, as(a)))) return true;
  mismatch(left, right, what);
  return false;
}

ExpressionChecker::Result ExpressionChecker::constant_folded(Typed typed, bool literals) {
  for (const Expression& child : typed.expression.children) {
    if (child.kind != Kind::Literal) return typed;
  }
  // What fails is left to fail for its row, as anywhere.
  auto value = program_.registry.evaluate(typed.expression);
  if (!value) return typed;
  typed.expression.kind = Kind::Literal;
  typed.expression.literal = std::move(*value);
  typed.expression.children.clear();
  typed.literal = literals;
  return typed;
}

ExpressionChecker::Result ExpressionChecker::negate(const Node& node) {
  Result operand = check_present(*node.children[0]);
  if (!operand) return std::nullopt;
  const Type type = operand->expression.type;
  if (type.is_vector() || (!is_number(type) && type.scalar != ScalarType::Duration)) {
    report_.error(
        DiagnosticCode::K0302, operand->span,
        fmt::format("`-` takes a number or a duration, and this is `{}`", to_string(type)));
    return std::nullopt;
  }
  const bool literal = operand->literal;
  return constant_folded(made(Kind::Negate, type, std::move(*operand)), literal);
}

ExpressionChecker::Result ExpressionChecker::negation(const Node& node) {
  Result operand = check_present(*node.children[0]);
  if (!operand) return std::nullopt;
  if (operand->expression.type != bool_type) {
    report_.error(
        DiagnosticCode::K0302, operand->span,
        fmt::format("`not` takes a `bool`, and this is `{}`", to_string(operand->expression.type)));
    return std::nullopt;
  }
  return constant_folded(made(Kind::Not, bool_type, std::move(*operand)), false);
}

ExpressionChecker::Result ExpressionChecker::binary(const Node& node) {
  if (node.text == "and" || node.text == "or") return logic(node);
  if (node.text == "in") return membership(node);
  if (node.text == "??") return coalesce(node);
  switch (kind_of(node.text)) {
    case Kind::Add:
    case Kind::Subtract:
    case Kind::Multiply:
    case Kind::Divide:
    case Kind::Remainder:
      return arithmetic(node);
    default:
      return comparison(node);
  }
}

ExpressionChecker::Result ExpressionChecker::logic(const Node& node) {
  Result operands[2];
  bool fine = true;
  for (std::size_t i = 0; i < 2; ++i) {
    operands[i] = check_present(*node.children[i]);
    if (operands[i] && operands[i]->expression.type != bool_type) {
      report_.error(DiagnosticCode::K0302, operands[i]->span,
                    fmt::format("`{}` takes `bool`s, and this is `{}`", node.text,
                                to_string(operands[i]->expression.type)));
      fine = false;
    }
    fine = fine && operands[i];
  }
  if (!fine) return std::nullopt;
  return constant_folded(
      made(kind_of(node.text), bool_type, std::move(*operands[0]), std::move(*operands[1])), false);
}

ExpressionChecker::Result ExpressionChecker::null_comparison(const Node& node,
                                                             const Node& operand) {
  if (node.text != "==" && node.text != "!=") {
    report_.error(DiagnosticCode::K0301,
                  is_null(*node.children[0]) ? node.children[0]->span : node.children[1]->span,
                  fmt::format("`{}` does not take `null`", node.text),
                  "null is only compared by `== null` and `!= null`");
    return std::nullopt;
  }
  Result value = check(operand);
  if (!value) return std::nullopt;
  if (value->null || !value->expression.type.optional) {
    // Never null, so it is known how it compares.
    const bool same = value->null;
    return Typed{.expression = {.kind = Kind::Literal,
                                .type = bool_type,
                                .literal = {same == (node.text == "==")}}};
  }
  return made(node.text == "==" ? Kind::IsNull : Kind::IsPresent, bool_type, std::move(*value));
}

ExpressionChecker::Result ExpressionChecker::comparison(const Node& node) {
  if (is_null(*node.children[0])) return null_comparison(node, *node.children[1]);
  if (is_null(*node.children[1])) return null_comparison(node, *node.children[0]);
  Result left = check_present(*node.children[0]);
  Result right = check_present(*node.children[1]);
  if (!left || !right || !unify(*left, *right, node.text)) return std::nullopt;
  const bool equality = node.text == "==" || node.text == "!=";
  if (!equality && !has_order(left->expression.type)) {
    report_.error(DiagnosticCode::K0302, left->span,
                  fmt::format("`{}` takes what has an order, and this is `{}`", node.text,
                              to_string(left->expression.type)));
    return std::nullopt;
  }
  return constant_folded(made(kind_of(node.text), bool_type, std::move(*left), std::move(*right)),
                         false);
}

ExpressionChecker::Result ExpressionChecker::membership(const Node& node) {
  Result left = check_present(*node.children[0]);
  std::vector<Typed> elements;
  bool fine = true;
  if (node.children[1]->kind == Node::Kind::Error) return std::nullopt;
  for (const auto& child : node.children[1]->children) {
    Result element = check_present(*child);
    fine = fine && element;
    if (element) elements.push_back(std::move(*element));
  }
  if (!left || !fine) return std::nullopt;
  for (Typed& element : elements) fine = unify(*left, element, "in") && fine;
  if (!fine) return std::nullopt;
  // A later element may have widened the left side.
  for (Typed& element : elements) (void)adapt(element, left->expression.type);
  Typed result = made(Kind::In, bool_type, std::move(*left));
  for (Typed& element : elements) {
    result.expression.children.push_back(std::move(element.expression));
  }
  return constant_folded(std::move(result), false);
}

ExpressionChecker::Result ExpressionChecker::coalesce(const Node& node) {
  Result left = check(*node.children[0]);
  Result right = check(*node.children[1]);
  if (!left || !right) return std::nullopt;
  if (right->null) {
    report_.error(DiagnosticCode::K0301, right->span, "`??` gives a value for null, not null",
                  "leave it out, or write another value");
    return std::nullopt;
  }
  if (left->null) {
    report_.error(DiagnosticCode::K0302, left->span, "the left side of `??` is always null");
    return std::nullopt;
  }
  // Vectors have no literals: both sides are columns then.
  if (left->expression.type.is_vector() || right->expression.type.is_vector()) {
    Type a = left->expression.type;
    Type b = right->expression.type;
    a.optional = b.optional = false;
    if (a != b) {
      mismatch(*left, *right, "??");
      return std::nullopt;
    }
  } else if (!unify(*left, *right, "??")) {
    return std::nullopt;
  }
  Type type = left->expression.type;
  if (!type.optional) return left;  // never null
  type.optional = right->expression.type.optional;
  return made(Kind::Coalesce, type, std::move(*left), std::move(*right));
}

ExpressionChecker::Result ExpressionChecker::arithmetic(const Node& node) {
  Result left = check_present(*node.children[0]);
  Result right = check_present(*node.children[1]);
  if (!left || !right) return std::nullopt;
  const Kind kind = kind_of(node.text);
  const std::string sign = fmt::format("`{}`", node.text);
  if (!scalar(*left, sign) || !scalar(*right, sign)) return std::nullopt;
  const ScalarType a = left->expression.type.scalar;
  const ScalarType b = right->expression.type.scalar;
  constexpr ScalarType timestamp = ScalarType::Timestamp;
  constexpr ScalarType duration = ScalarType::Duration;
  const auto timed = [&](ScalarType type) {
    return constant_folded(made(kind, {.scalar = type}, std::move(*left), std::move(*right)),
                           false);
  };
  if ((kind == Kind::Add || kind == Kind::Subtract) && a == timestamp && b == duration)
    return timed(timestamp);
  if (kind == Kind::Add && a == duration && b == timestamp) return timed(timestamp);
  if (kind == Kind::Subtract && (a == timestamp || b == timestamp)) {
    if (!unify(*left, *right, node.text)) return std::nullopt;
    return timed(duration);
  }
  if ((kind == Kind::Add || kind == Kind::Subtract) && a == duration && b == duration)
    return timed(duration);
  const bool literals = left->literal && right->literal;
  // What no operator takes is wrong by itself, not because of the other side.
  const auto takes = [&](const Type& type) {
    return is_number(type) || (kind == Kind::Add && type.is_text());
  };
  for (const Typed* operand : {&*left, &*right}) {
    if (takes(operand->expression.type)) continue;
    report_.error(DiagnosticCode::K0302, operand->span,
                  fmt::format("{} takes {}, and this is `{}`", sign,
                              kind == Kind::Add ? "numbers or strings" : "numbers",
                              to_string(operand->expression.type)),
                  operand->expression.type.is_text()
                      ? fmt::format("read a number from it: `to_f64({})`", text(operand->span))
                      : std::string{});
    return std::nullopt;
  }
  if (!unify(*left, *right, node.text)) return std::nullopt;
  Type type = left->expression.type;
  if (type.scalar == ScalarType::Bytes) {
    type = {.scalar = ScalarType::String};
    if (!adapt(*left, type) || !adapt(*right, type)) return std::nullopt;
  }
  return constant_folded(made(kind, type, std::move(*left), std::move(*right)), literals);
}

ExpressionChecker::Result ExpressionChecker::condition_of(const Node& node) {
  Result condition = check_present(*node.children[0]);
  Result then = check_present(*node.children[1]);
  Result otherwise = check_present(*node.children[2]);
  if (condition && condition->expression.type != bool_type) {
    report_.error(DiagnosticCode::K0302, condition->span,
                  fmt::format("a condition is `bool`, and this is `{}`",
                              to_string(condition->expression.type)));
    return std::nullopt;
  }
  if (!condition || !then || !otherwise) return std::nullopt;
  if (!unify(*then, *otherwise, "if")) return std::nullopt;
  const Type type = then->expression.type;
  Typed result = made(Kind::Case, type, std::move(*condition), std::move(*then));
  result.expression.children.push_back(std::move(otherwise->expression));
  return constant_folded(std::move(result), false);
}

}  // namespace kaspar::dsl
