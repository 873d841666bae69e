#include "nodes/expression/argument_rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace kaspar::nodes::expression {
namespace {

std::string_view example_for_null(ScalarType type) {
  switch (type) {
    case ScalarType::Bool:
      return "false";
    case ScalarType::I64:
      return "0";
    case ScalarType::F32:
    case ScalarType::F64:
      return "0.0";
    case ScalarType::String:
    case ScalarType::Bytes:
      return "\"\"";
    case ScalarType::Duration:
      return "0ms";
    case ScalarType::Timestamp:
      return "meta.timestamp";
  }
  return "0";
}

bool is_number(const Argument& argument) {
  return !argument.type.is_vector() &&
         (argument.type.is_float() || argument.type.scalar == ScalarType::I64);
}

/// The type that numbers have together: those that are no literals decide. nullopt: i64 and floats.
std::optional<ScalarType> common_number(std::span<const Argument> arguments) {
  bool f32 = false, f64 = false, i64 = false, decimal = false;
  for (const Argument& argument : arguments) {
    const ScalarType type = argument.type.scalar;
    if (argument.literal) {
      decimal = decimal || type != ScalarType::I64;
    } else {
      f32 = f32 || type == ScalarType::F32;
      f64 = f64 || type == ScalarType::F64;
      i64 = i64 || type == ScalarType::I64;
    }
  }
  if (i64 && (f32 || f64 || decimal)) return std::nullopt;
  if (f64) return ScalarType::F64;
  if (f32) return ScalarType::F32;
  return decimal && !i64 ? ScalarType::F64 : ScalarType::I64;
}

Signature same_types(std::size_t count, ScalarType type) {
  return {.parameters = std::vector<Type>(count, Type{.scalar = type}), .result = {.scalar = type}};
}

std::expected<void, Issue> none_null(std::string_view name, std::span<const Argument> arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (auto checked = not_null(name, arguments, i); !checked) return checked;
  }
  return {};
}

}  // namespace

Issue wrong_argument(std::string_view name, std::string_view takes,
                     std::span<const Argument> arguments, std::size_t index, std::string help) {
  const std::string type = to_string(arguments[index].type);
  return {.code = DiagnosticCode::K0302,
          .place = {.part = IssuePlace::Part::Operand, .index = index},
          .message = fmt::format("`{}` takes {}, not `{}`", name, takes, type),
          .label = fmt::format("`{}`", type),
          .help = std::move(help)};
}

std::expected<void, Issue> not_null(std::string_view name, std::span<const Argument> arguments,
                                    std::size_t index) {
  const Type& type = arguments[index].type;
  if (!type.optional) return {};
  std::string message = fmt::format("an argument of `{}` may be null", name);
  std::string label = fmt::format("`{}`", to_string(type));
  std::string help = type.is_vector()
                         ? "declare it without `?` in its schema: a row without it then fails"
                         : fmt::format("say what null counts as by `??`: `… ?? {}`",
                                       example_for_null(type.scalar));
  return std::unexpected(Issue{.code = DiagnosticCode::K0301,
                               .place = {.part = IssuePlace::Part::Operand, .index = index},
                               .message = std::move(message),
                               .label = std::move(label),
                               .help = std::move(help)});
}

bool is_a(const Argument& argument, ScalarType type) {
  const Type& is = argument.type;
  if (is.is_vector()) return false;
  if (is.scalar == type) return true;
  if (type == ScalarType::F64 && is.scalar == ScalarType::F32) return true;
  if (!argument.literal) return false;
  return (is.scalar == ScalarType::I64 && (type == ScalarType::F32 || type == ScalarType::F64)) ||
         (is.scalar == ScalarType::F64 && type == ScalarType::F32) ||
         (is.scalar == ScalarType::String && type == ScalarType::Timestamp);
}

Resolution text_arguments(std::string_view name, std::span<const Argument> arguments,
                          ScalarType result) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].type.is_vector() || !arguments[i].type.is_text()) {
      return std::unexpected(
          wrong_argument(name, "a `string`", arguments, i,
                         arguments[i].type.is_vector() ? "" : "write it as text: `to_string(…)`"));
    }
  }
  if (auto checked = none_null(name, arguments); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return Signature{
      .parameters = std::vector<Type>(arguments.size(), {.scalar = ScalarType::String}),
      .result = {.scalar = result}};
}

Resolution float_arguments(std::string_view name, std::span<const Argument> arguments,
                           std::string_view help) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const bool whole = !arguments[i].literal && arguments[i].type.scalar == ScalarType::I64;
    if (!is_number(arguments[i]) || whole) {
      return std::unexpected(
          wrong_argument(name, "`f32` or `f64`", arguments, i,
                         std::string{whole && is_number(arguments[i]) ? help : ""}));
    }
  }
  if (auto checked = none_null(name, arguments); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  const ScalarType type = common_number(arguments).value_or(ScalarType::F64);
  return same_types(arguments.size(), type == ScalarType::I64 ? ScalarType::F64 : type);
}

Resolution ordered_arguments(std::string_view name, std::span<const Argument> arguments) {
  constexpr std::string_view takes = "numbers, strings, timestamps or durations";
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].type.is_vector() || arguments[i].type.scalar == ScalarType::Bool) {
      return std::unexpected(wrong_argument(name, takes, arguments, i));
    }
  }
  // A literal adapts to the first that is none.
  const auto decides =
      std::ranges::find_if(arguments, [](const Argument& argument) { return !argument.literal; });
  const Argument& first = decides == arguments.end() ? arguments.front() : *decides;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& other = arguments[i];
    const bool fits = first.type.is_text() ? other.type.is_text()
                      : is_number(first)   ? is_number(other)
                                           : is_a(other, first.type.scalar);
    if (!fits) {
      return std::unexpected(wrong_argument(
          name, fmt::format("arguments of one type, here `{}`", to_string(first.type.scalar)),
          arguments, i));
    }
  }
  if (auto checked = none_null(name, arguments); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (first.type.is_text()) return same_types(arguments.size(), ScalarType::String);
  if (!is_number(first)) return same_types(arguments.size(), first.type.scalar);
  if (const auto number = common_number(arguments)) return same_types(arguments.size(), *number);
  // An i64 beside floats: name the first that is not as the one that decides.
  const bool whole = first.type.scalar == ScalarType::I64;
  std::size_t at = 0;
  while ((arguments[at].type.scalar == ScalarType::I64) == whole) ++at;
  return std::unexpected(wrong_argument(
      name, fmt::format("arguments of one type, here `{}`", to_string(first.type.scalar)),
      arguments, at, "convert the `i64`: `to_f64(…)`"));
}

}  // namespace kaspar::nodes::expression
