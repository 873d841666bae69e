#include "dsl/check/constants.hpp"

#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

#include "dsl/check/expressions.hpp"
#include "dsl/check/params.hpp"
#include "dsl/lex/token_buffer.hpp"
#include "runtime/core/timestamp.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::dsl {
namespace {

template <class T>
std::optional<T> read_number(const std::string& text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The one literal of the language that the text is: `10_000`, `64KiB`, `1_000.5`.
template <class T>
std::optional<T> read_literal(const std::string& text) {
  const TokenBuffer buffer = lex(std::make_shared<const SourceBuffer>("", text));
  constexpr std::size_t with_end = 2;
  if (buffer.tokens.size() != with_end) return std::nullopt;
  const Token& token = buffer.tokens.front();
  if (token.kind == TokenKind::Integer) return static_cast<T>(buffer.value<std::int64_t>(token));
  if (token.kind != TokenKind::Float || std::is_integral_v<T>) return std::nullopt;
  return static_cast<T>(buffer.value<double>(token));
}

bool fits_single(double value) {
  return !std::isfinite(value) ||
         std::abs(value) <= static_cast<double>(std::numeric_limits<float>::max());
}

}  // namespace

std::string text_of(const Value& value, const Type& type) {
  std::string text;
  if (const auto* flag = value.get<bool>()) return *flag ? "true" : "false";
  if (const auto* string = value.get<std::string>()) return *string;
  if (const auto* time = value.get<std::chrono::milliseconds>()) {
    append_duration(text, time->count());
  } else if (const auto* whole = value.get<std::int64_t>()) {
    if (type.scalar == ScalarType::Timestamp) {
      append_timestamp(text, *whole);
    } else {
      append_number(text, *whole);
    }
  } else if (const auto* real = value.get<double>()) {
    if (!std::isfinite(*real)) return std::isnan(*real) ? "nan" : *real > 0 ? "inf" : "-inf";
    if (type.scalar == ScalarType::F32) {
      append_number(text, static_cast<float>(*real));
    } else {
      append_number(text, *real);
    }
  }
  return text;
}

std::optional<Value> adapted(const Value& value, ScalarType from, ScalarType to) {
  if (from == to) return value;
  if (const auto* whole = value.get<std::int64_t>(); whole != nullptr && from == ScalarType::I64) {
    if (to == ScalarType::F32 || to == ScalarType::F64) return Value{static_cast<double>(*whole)};
  }
  if (const auto* real = value.get<double>()) {
    if (to == ScalarType::F64) return value;
    if (to == ScalarType::F32 && fits_single(*real)) return value;
  }
  if (const auto* text = value.get<std::string>()) {
    if (to == ScalarType::Bytes || to == ScalarType::String) return value;
    if (to == ScalarType::Timestamp) {
      if (const auto time = parse_rfc3339(*text)) return Value{*time};
    }
  }
  return std::nullopt;
}

std::optional<Value> read_value(const std::string& text, ScalarType type) {
  switch (type) {
    case ScalarType::Bool:
      if (text == "true" || text == "false") return Value{text == "true"};
      break;
    case ScalarType::I64:
      if (const auto value = read_number<std::int64_t>(text)) return Value{*value};
      if (const auto value = read_literal<std::int64_t>(text)) return Value{*value};
      break;
    case ScalarType::F32:
    case ScalarType::F64: {
      auto value = read_number<double>(text);
      if (!value) value = read_literal<double>(text);
      if (value && (type == ScalarType::F64 || fits_single(*value))) return Value{*value};
      break;
    }
    case ScalarType::String:
    case ScalarType::Bytes:
      return Value{text};
    case ScalarType::Timestamp:
      if (const auto value = read_number<std::int64_t>(text)) return Value{*value};
      if (const auto value = parse_rfc3339(text)) return Value{*value};
      break;
    case ScalarType::Duration:
      if (const auto value = parse_duration(text)) return Value{std::chrono::milliseconds{*value}};
      break;
  }
  return std::nullopt;
}

const ParamDefinition* checked_param(Program& program, std::size_t index) {
  ParamDefinition& param = program.params[index];
  if (param.state != CheckState::Checked) check_param(program, index);
  return param.state == CheckState::Checked && param.value ? &param : nullptr;
}

std::optional<Constant> constant(const ast::Node& node, Program& program, FileDefinitions& file) {
  Scope none;
  none.rows = false;
  std::optional<Expression> expression = ExpressionChecker(program, file, none).present(node);
  if (!expression) return std::nullopt;
  const bool literal = expression->kind == Expression::Kind::Literal;
  if (literal) return Constant{expression->type, std::move(expression->literal), true};
  auto value = program.registry.evaluate(*expression);
  if (!value) {
    file.report.error(DiagnosticCode::K0302, node.span, value.error().message);
    return std::nullopt;
  }
  return Constant{expression->type, std::move(*value), false};
}

std::optional<Value> constant_of(const ast::Node& node, Type type, std::string_view what,
                                 Program& program, FileDefinitions& file) {
  Scope none;
  none.rows = false;
  std::optional<Expression> expression =
      ExpressionChecker(program, file, none).of_type(node, type, what);
  if (!expression) return std::nullopt;
  if (expression->kind == Expression::Kind::Literal) return std::move(expression->literal);
  auto value = program.registry.evaluate(*expression);
  if (!value) {
    file.report.error(DiagnosticCode::K0302, node.span, value.error().message);
    return std::nullopt;
  }
  return std::move(*value);
}

std::optional<std::string> interpolated(const StringLiteral& literal, Program& program,
                                        FileDefinitions& file) {
  std::string text;
  bool fine = true;
  for (const StringPart& part : literal.parts) {
    if (!part.parameter) {
      text += part.text;
      continue;
    }
    const Span span{part.span.begin + 2, part.span.end - 1};  // without `${` and `}`
    const Definition* definition = find(program, file, {.text = part.text, .span = span},
                                        {Definition::Kind::Param}, "parameter");
    const ParamDefinition* param = definition == nullptr || definition->damaged
                                       ? nullptr
                                       : checked_param(program, definition->index);
    if (param == nullptr) {
      fine = false;
    } else {
      text += text_of(*param->value, param->type);
    }
  }
  return fine ? std::optional(std::move(text)) : std::nullopt;
}

}  // namespace kaspar::dsl
