#include "dsl/check/expressions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dsl/check/constants.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;
using Kind = Expression::Kind;

struct MetaColumn {
  std::string_view name;
  MetaField field;
  Type type;
};

const std::vector<MetaColumn> meta_columns{
    {"key", MetaField::Key, {.scalar = ScalarType::Bytes, .optional = true}},
    {"value", MetaField::Value, {.scalar = ScalarType::Bytes, .optional = true}},
    {"topic", MetaField::Topic, {.scalar = ScalarType::String}},
    {"partition", MetaField::Partition, {.scalar = ScalarType::I64}},
    {"offset", MetaField::Offset, {.scalar = ScalarType::I64}},
    {"timestamp", MetaField::Timestamp, {.scalar = ScalarType::Timestamp}},
};

bool is_meta(const Node& node, std::string_view field) {
  return node.kind == Node::Kind::Member && node.text == field &&
         node.children[0]->kind == Node::Kind::Name && node.children[0]->text == "meta";
}

bool is_null(const Node& node) { return node.kind == Node::Kind::Null; }

/// The object that the column is a member of: "y" of `y.out`.
std::string_view object_of(std::string_view column) { return column.substr(0, column.find('.')); }

}  // namespace

const Scope::Index& Scope::index() const {
  for (; index_.indexed < columns.columns.size(); ++index_.indexed) {
    const std::string& name = columns.columns[index_.indexed].name;
    index_.columns.try_emplace(name, index_.indexed);
    ++index_.objects[std::string{object_of(name)}];
  }
  return index_;
}

void Scope::erase(std::size_t at) {
  columns.columns.erase(columns.columns.begin() + static_cast<std::ptrdiff_t>(at));
  slots.erase(slots.begin() + static_cast<std::ptrdiff_t>(at));
  index_ = {};
}

std::optional<std::size_t> Scope::find(std::string_view column) const {
  const auto& known = index().columns;
  const auto found = known.find(std::string{column});
  return found == known.end() ? std::nullopt : std::optional{found->second};
}

void Scope::define(const Column& column, Slot slot) {
  const std::string_view object = object_of(column.name);
  poisoned.erase(std::string{object});
  if (const auto at = find(column.name)) {
    columns.columns[*at] = column;
    slots[*at] = slot;
    return;
  }
  // An object takes the place of a column of its name, and the other way round.
  if (object == column.name) {
    remove(object);
  } else if (const auto at = find(object)) {
    erase(*at);
  }
  columns.columns.push_back(column);
  slots.push_back(slot);
}

void Scope::remove(std::string_view name) {
  if (!has(name)) return;
  for (std::size_t i = columns.columns.size(); i-- > 0;) {
    if (object_of(columns.columns[i].name) == name) erase(i);
  }
}

bool Scope::has(std::string_view name) const { return index().objects.contains(std::string{name}); }

std::optional<Expression> ExpressionChecker::optional(const Node& node) {
  size_ = 0;
  Result result = check(node);
  if (!result) return std::nullopt;
  return std::move(result->expression);
}

std::optional<Expression> ExpressionChecker::present(const Node& node) {
  size_ = 0;
  Result result = check_present(node);
  if (!result) return std::nullopt;
  return std::move(result->expression);
}

std::optional<Expression> ExpressionChecker::condition(const Node& node, std::string_view what) {
  return of_type(node, {.scalar = ScalarType::Bool}, what);
}

std::optional<Expression> ExpressionChecker::of_type(const Node& node, Type type,
                                                     std::string_view what) {
  size_ = 0;
  Result result = type.optional ? check(node) : check_present(node);
  if (!result) return std::nullopt;
  if (result->null) {
    result->expression.type = type;
    return std::move(result->expression);
  }
  Type wanted = type;
  wanted.optional = result->expression.type.optional;
  if (!adapt(*result, wanted)) {
    report_.error(DiagnosticCode::K0302, node.span,
                  fmt::format("{} is `{}`, but this is `{}`", what, to_string(type),
                              to_string(result->expression.type)));
    return std::nullopt;
  }
  return std::move(result->expression);
}

std::optional<Expression> ExpressionChecker::filter(const Node& node) {
  // Term by term, so that each sees what those before it exclude.
  if (node.kind == Node::Kind::Binary && node.text == "and") {
    std::optional<Expression> left = filter(*node.children[0]);
    std::optional<Expression> right = filter(*node.children[1]);
    if (!left || !right) return std::nullopt;
    Expression both{
        .kind = Kind::And, .type = {.scalar = ScalarType::Bool}, .text = text(node.span)};
    both.children.push_back(std::move(*left));
    both.children.push_back(std::move(*right));
    return both;
  }
  std::optional<Expression> term = condition(node, "a condition");
  if (term) narrow(node);
  return term;
}

void ExpressionChecker::narrow(const Node& node) {
  if (node.kind != Node::Kind::Binary || node.text != "!=") return;
  const Node& left = *node.children[0];
  const Node& right = *node.children[1];
  if (is_null(left) == is_null(right)) return;
  const Node& operand = is_null(left) ? right : left;
  std::string column = operand.text;
  if (operand.kind == Node::Kind::Index && is_meta(*operand.children[0], "headers") &&
      operand.children[1]->kind == Node::Kind::String) {
    scope_.present.insert("headers." +
                          std::get<StringLiteral>(operand.children[1]->literal).text());
    return;
  }
  if (operand.kind == Node::Kind::Member && operand.children[0]->kind == Node::Kind::Name) {
    if (operand.children[0]->text == "meta") {
      scope_.present.insert(operand.text);
      return;
    }
    column = operand.children[0]->text + "." + operand.text;
  } else if (operand.kind != Node::Kind::Name) {
    return;
  }
  if (const auto at = scope_.find(column)) scope_.columns.columns[*at].type.optional = false;
}

ExpressionChecker::Result ExpressionChecker::check_present(const Node& node) {
  Result result = check(node);
  if (result && !not_null(*result)) return std::nullopt;
  return result;
}

bool ExpressionChecker::not_null(const Typed& typed) {
  if (typed.null) {
    report_.error(DiagnosticCode::K0301, typed.span, "`null` is no value to compute with",
                  "it is only compared: `x == null`");
    return false;
  }
  if (!typed.expression.type.optional) return true;
  const std::string written = text(typed.span);
  std::string_view otherwise = "0";
  switch (typed.expression.type.scalar) {
    case ScalarType::Bool:
      otherwise = "false";
      break;
    case ScalarType::F32:
    case ScalarType::F64:
      otherwise = "0.0";
      break;
    case ScalarType::String:
    case ScalarType::Bytes:
      otherwise = "\"\"";
      break;
    case ScalarType::Duration:
      otherwise = "0ms";
      break;
    case ScalarType::Timestamp:
      otherwise = "meta.timestamp";
      break;
    case ScalarType::I64:
      break;
  }
  Diagnostic diagnostic{.code = DiagnosticCode::K0301,
                        .span = typed.span,
                        .message = fmt::format("`{}` may be null", written),
                        .label = fmt::format("this is `{}`", to_string(typed.expression.type))};
  if (typed.expression.type.is_vector()) {
    diagnostic.help = fmt::format("leave such rows out: `filter {} != null`", written);
  } else {
    diagnostic.help = fmt::format("give a value for null: `{} ?? {}`", written, otherwise);
    diagnostic.fixes.push_back({typed.span, fmt::format("({} ?? {})", written, otherwise),
                                fmt::format("take `{}` for null", otherwise)});
  }
  // It is said once of a column.
  if (typed.expression.kind == Kind::Column) scope_.poisoned.insert(written);
  report_.add(std::move(diagnostic));
  return false;
}

ExpressionChecker::Result ExpressionChecker::too_large(const Node& node) {
  report_.error(DiagnosticCode::K0101, node.span,
                fmt::format("an expression of more than {} operations, its functions written out",
                            largest_expression),
                "name parts of it by `derive`");
  return std::nullopt;
}

ExpressionChecker::Result ExpressionChecker::check(const Node& node) {
  if (++size_ > largest_expression) {
    if (size_ == largest_expression + 1) return too_large(node);
    return std::nullopt;
  }
  Result result;
  switch (node.kind) {
    case Node::Kind::Name:
      result = name(node);
      break;
    case Node::Kind::Member:
      result = member(node);
      break;
    case Node::Kind::Index:
      result = is_meta(*node.children[0], "headers") ? header(node) : index(node);
      break;
    case Node::Kind::Call:
      result = call(node);
      break;
    case Node::Kind::Negate:
      result = negate(node);
      break;
    case Node::Kind::Not:
      result = negation(node);
      break;
    case Node::Kind::Binary:
      result = binary(node);
      break;
    case Node::Kind::If:
      result = condition_of(node);
      break;
    case Node::Kind::List:
    case Node::Kind::Table:
    case Node::Kind::File:
    case Node::Kind::LinesFile:
      report_.error(DiagnosticCode::K0302, node.span, "this is no value to compute with",
                    node.kind == Node::Kind::List ? "name a vector by `|> vector v = […]`" : "");
      break;
    default:
      result = literal(node);
      break;
  }
  if (result) {
    result->span = node.span;
    result->expression.text = text(node.span);
  }
  return result;
}

ExpressionChecker::Result ExpressionChecker::literal(const Node& node) {
  const auto made = [](ScalarType scalar, Value value) {
    return Typed{.expression = {.kind = Kind::Literal,
                                .type = {.scalar = scalar},
                                .literal = std::move(value)},
                 .literal = true};
  };
  switch (node.kind) {
    case Node::Kind::Integer:
      return made(ScalarType::I64, {std::get<std::int64_t>(node.literal)});
    case Node::Kind::Float:
      return made(ScalarType::F64, {std::get<double>(node.literal)});
    case Node::Kind::Duration:
      return made(ScalarType::Duration, {std::get<std::chrono::milliseconds>(node.literal)});
    case Node::Kind::True:
    case Node::Kind::False:
      return made(ScalarType::Bool, {node.kind == Node::Kind::True});
    case Node::Kind::Null: {
      Typed null = made(ScalarType::Bytes, {});
      null.expression.type.optional = true;
      null.null = true;
      return null;
    }
    case Node::Kind::String: {
      if (interpolates_column(std::get<StringLiteral>(node.literal))) return std::nullopt;
      auto whole = interpolated(std::get<StringLiteral>(node.literal), program_, file_);
      if (!whole) return std::nullopt;
      return made(ScalarType::String, {std::move(*whole)});
    }
    default:
      return std::nullopt;  // damaged, reported
  }
}

bool ExpressionChecker::interpolates_column(const StringLiteral& literal) const {
  for (const StringPart& part : literal.parts) {
    if (!part.parameter || file_.by_name.contains(part.text) || !scope_.find(part.text)) continue;
    report_.error(
        DiagnosticCode::K0201, {part.span.begin + 2, part.span.end - 1},
        fmt::format("unknown parameter `{}`", part.text),
        fmt::format("`{0}` is a column: {1} `to_string({0})`", part.text,
                    literal.parts.size() == 1 ? "write" : "join the strings by `+` with"));
    return true;
  }
  return false;
}

std::vector<std::string_view> ExpressionChecker::members(std::string_view object) const {
  std::vector<std::string_view> found;
  for (const Column& candidate : scope_.columns.columns) {
    if (candidate.name.size() > object.size() + 1 && object_of(candidate.name) == object) {
      found.push_back(std::string_view(candidate.name).substr(object.size() + 1));
    }
  }
  return found;
}

/// Columns, parameters of the function, and params: what a bare name may be.
std::vector<std::string_view> ExpressionChecker::value_names() const {
  std::vector<std::string_view> names;
  const auto add = [&](std::string_view name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const Column& column : scope_.columns.columns) add(object_of(column.name));
  for (const auto& [name, parameter] : scope_.parameters) add(name);
  for (const auto& [name, definition] : file_.by_name) {
    if (definition.kind == Definition::Kind::Param) add(name);
  }
  return names;
}

void ExpressionChecker::unknown_column(const Node& node) {
  const auto item = file_.by_name.find(node.text);
  std::vector<RelatedSpan> related;
  if (item != file_.by_name.end()) {
    if (item->second.kind == Definition::Kind::Unknown) return;
    item->second.used = true;
    related.push_back(
        {item->second.span, fmt::format("`{}` is a {}", node.text, name_of(item->second.kind))});
  }
  if (scope_.rows && scope_.columns.columns.empty() && related.empty()) {
    report_.error(DiagnosticCode::K0201, node.span, fmt::format("unknown column `{}`", node.text),
                  "a record has columns after `|> parse FORMAT as SCHEMA`");
  } else {
    // Of so many no one reads what may have been meant, and it would take long to find.
    constexpr std::size_t most_suggested = 64;
    const bool few = scope_.poisoned.size() <= most_suggested;
    report_.unknown(node.span, scope_.rows ? "column" : "parameter", node.text,
                    few ? value_names() : std::vector<std::string_view>{}, {}, std::move(related));
  }
  scope_.poisoned.insert(node.text);
}

ExpressionChecker::Result ExpressionChecker::name(const Node& node) {
  if (const auto own = scope_.parameters.find(node.text); own != scope_.parameters.end()) {
    return Typed{
        .expression = {.kind = Kind::Local, .type = own->second.type, .local = own->second.local}};
  }
  if (scope_.poisoned.contains(node.text)) return std::nullopt;
  if (const auto at = scope_.find(node.text)) {
    return Typed{.expression = {.kind = Kind::Column,
                                .type = scope_.columns.columns[*at].type,
                                .slot = scope_.slots[*at]}};
  }
  const auto parts = members(node.text);
  if (!parts.empty() || node.text == "meta") {
    report_.error(DiagnosticCode::K0302, node.span,
                  fmt::format("`{}` is no value by itself", node.text),
                  fmt::format("name a part of it, such as `{}.{}`", node.text,
                              parts.empty() ? std::string_view("key") : parts.back()));
    return std::nullopt;
  }
  const auto item = file_.by_name.find(node.text);
  if (item != file_.by_name.end() && item->second.kind == Definition::Kind::Param) {
    item->second.used = true;
    if (item->second.damaged) return std::nullopt;
    const ParamDefinition* param = checked_param(program_, item->second.index);
    if (param == nullptr) return std::nullopt;
    return Typed{
        .expression = {.kind = Kind::Literal, .type = param->type, .literal = *param->value}};
  }
  if (!scope_.unknown) unknown_column(node);
  return std::nullopt;
}

std::vector<Expression> ExpressionChecker::parts_of(const Node& node) const {
  std::vector<Expression> parts;
  if (node.kind != Node::Kind::Name || scope_.parameters.contains(node.text) ||
      scope_.poisoned.contains(node.text) || scope_.find(node.text)) {
    return parts;
  }
  const std::string prefix = node.text + ".";
  for (std::size_t i = 0; i < scope_.columns.columns.size(); ++i) {
    const Column& column = scope_.columns.columns[i];
    if (!column.name.starts_with(prefix)) continue;
    parts.push_back(
        {.kind = Kind::Column, .type = column.type, .slot = scope_.slots[i], .text = column.name});
  }
  return parts;
}

ExpressionChecker::Result ExpressionChecker::member(const Node& node) {
  const Node& whole = *node.children[0];
  if (whole.kind == Node::Kind::Error) return std::nullopt;
  if (whole.kind != Node::Kind::Name) {
    if (check(whole)) {
      report_.error(DiagnosticCode::K0302, node.text_span, "this has no members");
    }
    return std::nullopt;
  }
  if (whole.text == "meta") return meta(node);
  if (scope_.poisoned.contains(whole.text)) return std::nullopt;
  if (const auto at = scope_.find(whole.text + "." + node.text)) {
    return Typed{.expression = {.kind = Kind::Column,
                                .type = scope_.columns.columns[*at].type,
                                .slot = scope_.slots[*at]}};
  }
  const auto parts = members(whole.text);
  if (!parts.empty()) {
    if (node.text == "label" && std::ranges::find(parts, "index") != parts.end()) {
      report_.error(DiagnosticCode::K0201, node.text_span,
                    fmt::format("`{}` has no `label`: the model names no classes", whole.text),
                    "give the model its `labels: [\"…\", …]`");
    } else {
      report_.unknown(node.text_span, "member", node.text, parts, whole.text);
    }
    return std::nullopt;
  }
  if (scope_.find(whole.text) || scope_.parameters.contains(whole.text)) {
    report_.error(DiagnosticCode::K0302, node.text_span,
                  fmt::format("`{}` has no members", whole.text));
    return std::nullopt;
  }
  const auto item = file_.by_name.find(whole.text);
  if (item != file_.by_name.end() && item->second.kind == Definition::Kind::Used) {
    const ast::Name qualified{.text = whole.text + "." + node.text, .span = node.span};
    const Definition* found =
        find(program_, file_, qualified, {Definition::Kind::Param}, "parameter");
    if (found == nullptr || found->damaged) return std::nullopt;
    const ParamDefinition* param = checked_param(program_, found->index);
    if (param == nullptr) return std::nullopt;
    return Typed{
        .expression = {.kind = Kind::Literal, .type = param->type, .literal = *param->value}};
  }
  if (!scope_.unknown) unknown_column(whole);
  return std::nullopt;
}

ExpressionChecker::Result ExpressionChecker::meta(const Node& node) {
  std::vector<std::string_view> names;
  for (const MetaColumn& known : meta_columns) {
    names.push_back(known.name);
    if (known.name != node.text) continue;
    if (!scope_.rows) {
      report_.error(DiagnosticCode::K0302, node.span, "there is no record here to tell `meta` of",
                    "pass it as an argument, or name it by `derive`");
      return std::nullopt;
    }
    Type type = known.type;
    if (scope_.present.contains(node.text)) type.optional = false;
    return Typed{.expression = {.kind = Kind::Meta, .type = type, .meta = known.field}};
  }
  if (node.text == "headers") {
    report_.error(DiagnosticCode::K0302, node.span, "`meta.headers` is no value by itself",
                  "name a header: `meta.headers[\"x\"]`");
  } else {
    names.push_back("headers");
    report_.unknown(node.text_span, "member", node.text, names, "meta");
  }
  return std::nullopt;
}

ExpressionChecker::Result ExpressionChecker::header(const Node& node) {
  const Node& name = *node.children[1];
  if (name.kind != Node::Kind::String) {
    if (name.kind != Node::Kind::Error) {
      report_.error(DiagnosticCode::K0302, name.span, "a header's name is a constant string");
    }
    return std::nullopt;
  }
  auto header = interpolated(std::get<StringLiteral>(name.literal), program_, file_);
  if (!header) return std::nullopt;
  if (!scope_.rows) {
    report_.error(DiagnosticCode::K0302, node.span, "there is no record here to tell `meta` of",
                  "pass it as an argument, or name it by `derive`");
    return std::nullopt;
  }
  const bool present = scope_.present.contains("headers." + *header);
  return Typed{.expression = {.kind = Kind::Meta,
                              .type = {.scalar = ScalarType::Bytes, .optional = !present},
                              .meta = MetaField::Header,
                              .header = std::move(*header)}};
}

ExpressionChecker::Result ExpressionChecker::index(const Node& node) {
  Result vector = check_present(*node.children[0]);
  Result at = check_present(*node.children[1]);
  if (!vector || !at) return std::nullopt;
  const Type type = vector->expression.type;
  if (!type.is_vector()) {
    report_.error(DiagnosticCode::K0302, vector->span,
                  fmt::format("only vectors have elements, and this is `{}`", to_string(type)));
    return std::nullopt;
  }
  if (at->expression.type != Type{.scalar = ScalarType::I64}) {
    report_.error(DiagnosticCode::K0302, at->span,
                  fmt::format("an index is a whole number, and this is `{}`",
                              to_string(at->expression.type)));
    return std::nullopt;
  }
  if (at->expression.kind == Kind::Literal) {
    const std::int64_t value = *at->expression.literal.get<std::int64_t>();
    if (value < 0 || value >= type.width) {
      report_.error(DiagnosticCode::K0302, at->span,
                    fmt::format("index {} is outside of `{}`", value, to_string(type)),
                    fmt::format("indexes are from 0 to {}", type.width - 1));
      return std::nullopt;
    }
  }
  Typed result{.expression = {.kind = Kind::Element, .type = {.scalar = type.scalar}}};
  result.expression.children.push_back(std::move(vector->expression));
  result.expression.children.push_back(std::move(at->expression));
  return result;
}

}  // namespace kaspar::dsl
