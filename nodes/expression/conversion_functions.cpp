// to_string to_i64 to_f64
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <string_view>

#include <fast_float/fast_float.h>

#include "nodes/expression/argument_rules.hpp"
#include "nodes/expression/data_movement.hpp"
#include "nodes/expression/function_kernel.hpp"
#include "nodes/expression/functions.hpp"
#include "nodes/expression/kernel_loops.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::expression {
namespace {

template <class T>
void append_float(std::string& out, T value) {
  if (std::isfinite(value)) return append_number(out, value);
  out += std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
}

/// `append(out, value)` writes it.
template <class T, auto append>
void write(const Instruction& instruction, Frame& frame) {
  auto* const out = frame.values<std::string_view>(instruction.out);
  const T* const a = frame.values<T>(instruction.a);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    frame.text.clear();
    append(frame.text, a[row]);
    out[row] = frame.batch->text().copy(frame.text);
  });
}

struct BoolText {
  std::string_view operator()(bool value) const { return value ? "true" : "false"; }
};

void append_i64(std::string& out, std::int64_t value) { append_number(out, value); }

Kernel to_string_kernel(const Expression& call) {
  const Type& type = call.children[0].type;
  switch (type.scalar) {
    case ScalarType::Bool:
      return map_kernel<std::string_view, bool, BoolText>;
    case ScalarType::I64:
      return write<std::int64_t, append_i64>;
    case ScalarType::F32:
      return write<float, append_float<float>>;
    case ScalarType::F64:
      return write<double, append_float<double>>;
    case ScalarType::Timestamp:
      return write<std::int64_t, append_timestamp>;
    case ScalarType::Duration:
      return write<std::int64_t, append_duration>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return copy_kernel({.scalar = ScalarType::String});
  }
  return nullptr;
}

/// A `+` in front is fine, as in CSV; a second sign is not.
bool take_plus(std::string_view& text) {
  if (!text.starts_with('+')) return true;
  text.remove_prefix(1);
  return !text.starts_with('-') && !text.starts_with('+');
}

struct TextToInteger {
  static bool compute(std::string_view text, std::int64_t& out) {
    if (!take_plus(text)) return false;
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return false;
    out = value;
    return true;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return fmt::format("{} is no i64", frame.describe(instruction.a, row));
  }
};

struct FloatToInteger {
  template <class T>
  static bool compute(T value, std::int64_t& out) {
    // Both bounds are exact as floats; NaN is within none.
    if (!(value >= T{-0x1p63} && value < T{0x1p63})) return false;
    out = static_cast<std::int64_t>(value);
    return true;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return fmt::format("{} does not fit an i64", frame.describe(instruction.a, row));
  }
};

struct TextToFloat {
  static bool compute(std::string_view text, double& out) {
    if (!take_plus(text) || text.empty()) return false;
    double value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = fast_float::from_chars(text.data(), end, value);
    if (stop != end || error == std::errc::invalid_argument) return false;
    const char first = text.front() == '-' ? text[1] : text.front();
    if (std::isinf(value) && first != 'i' && first != 'I') return false;  // out of range
    out = value;
    return true;
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return fmt::format("{} is no f64", frame.describe(instruction.a, row));
  }
};

template <class To>
struct Cast {
  template <class T>
  To operator()(T value) const {
    return static_cast<To>(value);
  }
};

Kernel to_i64_kernel(const Expression& call) {
  switch (call.children[0].type.scalar) {
    case ScalarType::String:
      return checked_kernel<std::int64_t, std::string_view, TextToInteger>;
    case ScalarType::F32:
      return checked_kernel<std::int64_t, float, FloatToInteger>;
    case ScalarType::F64:
      return checked_kernel<std::int64_t, double, FloatToInteger>;
    case ScalarType::Bool:
      return map_kernel<std::int64_t, bool, Cast<std::int64_t>>;
    default:
      return copy_kernel({.scalar = ScalarType::I64});
  }
}

Kernel to_f64_kernel(const Expression& call) {
  switch (call.children[0].type.scalar) {
    case ScalarType::String:
      return checked_kernel<double, std::string_view, TextToFloat>;
    case ScalarType::I64:
      return map_kernel<double, std::int64_t, Cast<double>>;
    case ScalarType::Bool:
      return map_kernel<double, bool, Cast<double>>;
    case ScalarType::F32:
      return map_kernel<double, float, Cast<double>>;
    default:
      return copy_kernel({.scalar = ScalarType::F64});
  }
}

bool takes_text_or_float(const Expression& call) {
  const Type& type = call.children[0].type;
  return type.is_float() || type.is_text();
}
bool takes_text(const Expression& call) { return call.children[0].type.is_text(); }

const FunctionKernel to_string_function{.select = to_string_kernel};
const FunctionKernel to_i64_function{.select = to_i64_kernel, .can_fail = takes_text_or_float};
const FunctionKernel to_f64_function{.select = to_f64_kernel, .can_fail = takes_text};

Resolution resolve(std::string_view name, std::span<const Argument> arguments, bool takes,
                   std::string_view what, ScalarType result, bool fallible) {
  Type type = arguments[0].type;
  if (type.is_vector() || !takes) return std::unexpected(wrong_argument(name, what, arguments, 0));
  if (auto checked = not_null(name, arguments, 0); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (type.is_text()) type.scalar = ScalarType::String;
  return Signature{.parameters = {type}, .result = {.scalar = result}, .fallible = fallible};
}

Resolution resolve_to_string(std::span<const Argument> arguments) {
  return resolve("to_string", arguments, true, "a scalar", ScalarType::String, false);
}

Resolution resolve_to_i64(std::span<const Argument> arguments) {
  const Type& type = arguments[0].type;
  return resolve("to_i64", arguments, true, "a scalar", ScalarType::I64,
                 type.is_float() || type.is_text());
}

Resolution resolve_to_f64(std::span<const Argument> arguments) {
  const Type& type = arguments[0].type;
  return resolve("to_f64", arguments, type.is_text() || type.is_numeric(),
                 "a number, a `bool` or a `string`", ScalarType::F64, type.is_text());
}

}  // namespace

std::vector<FunctionDescriptor> conversion_functions() {
  return {
      {.name = "to_string",
       .summary = "A scalar as text: numbers in the shortest form that reads back, timestamps as "
                  "RFC 3339, durations as in the language",
       .parameters = "x",
       .examples = {"to_string(0.1) == \"0.1\"", "to_string(42) == \"42\"",
                    "to_string(true) == \"true\"", "to_string(90s) == \"90s\"",
                    "to_string(1.0 / 0.0) == \"inf\""},
       .resolve = resolve_to_string,
       .kernel = &to_string_function},
      {.name = "to_i64",
       .summary = "A whole number of a decimal string, a float (cut towards zero), a `bool`, or of "
                  "the milliseconds of a timestamp or duration; K0906 where it is none or does not "
                  "fit",
       .parameters = "x",
       .examples = {"to_i64(\"-42\") == -42", "to_i64(-2.9) == -2", "to_i64(true) == 1",
                    "to_i64(5s) == 5000"},
       .resolve = resolve_to_i64,
       .kernel = &to_i64_function},
      {.name = "to_f64",
       .summary = "An `f64` of an `i64`, `f32`, `bool` or string (`nan` and `inf` too); K0906 "
                  "where a string is no number or out of range",
       .parameters = "x",
       .examples = {"to_f64(3) == 3.0", "to_f64(\"1e3\") == 1000.0", "to_f64(true) == 1.0"},
       .resolve = resolve_to_f64,
       .kernel = &to_f64_function},
  };
}

}  // namespace kaspar::nodes::expression
