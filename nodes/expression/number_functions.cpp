// abs min max floor ceil round sqrt log exp pow
#include <fmt/format.h>

#include <cmath>
#include <string_view>
#include <type_traits>

#include "nodes/expression/argument_rules.hpp"
#include "nodes/expression/function_kernel.hpp"
#include "nodes/expression/functions.hpp"
#include "nodes/expression/kernel_loops.hpp"

namespace kaspar::nodes::expression {
namespace {

struct Abs {
  static bool compute(std::int64_t a, std::int64_t& out) {
    if (a >= 0) {
      out = a;
      return true;
    }
    return !__builtin_sub_overflow(std::int64_t{0}, a, &out);
  }
  static std::string explain(const Instruction& instruction, const Frame& frame, std::size_t row) {
    return fmt::format(
        "abs({}) does not fit {}", frame.describe(instruction.a, row),
        instruction.out.type.scalar == ScalarType::Duration ? "a duration" : "an i64");
  }
  template <class T>
  T operator()(T a) const {
    return std::abs(a);
  }
};

/// The first of equal ones; NaN where one is NaN.
struct Min {
  template <class T>
  T operator()(const T& a, const T& b) const {
    if constexpr (std::is_floating_point_v<T>) return b < a || std::isnan(b) ? b : a;
    return b < a ? b : a;
  }
};
struct Max {
  template <class T>
  T operator()(const T& a, const T& b) const {
    if constexpr (std::is_floating_point_v<T>) return a < b || std::isnan(b) ? b : a;
    return a < b ? b : a;
  }
};

struct Floor {
  template <class T>
  T operator()(T a) const {
    return std::floor(a);
  }
};
struct Ceil {
  template <class T>
  T operator()(T a) const {
    return std::ceil(a);
  }
};
struct Round {
  template <class T>
  T operator()(T a) const {
    return std::round(a);
  }
};
struct Sqrt {
  template <class T>
  T operator()(T a) const {
    return std::sqrt(a);
  }
};
struct Log {
  template <class T>
  T operator()(T a) const {
    return std::log(a);
  }
};
struct Exp {
  template <class T>
  T operator()(T a) const {
    return std::exp(a);
  }
};
struct Pow {
  template <class T>
  T operator()(T a, T b) const {
    return std::pow(a, b);
  }
};

template <class F>
Kernel float_kernel(const Expression& call) {
  return call.type.scalar == ScalarType::F32 ? Kernel{map_kernel<float, float, F>}
                                             : map_kernel<double, double, F>;
}

Kernel pow_kernel(const Expression& call) {
  return call.type.scalar == ScalarType::F32 ? Kernel{map_kernel<float, float, float, Pow>}
                                             : map_kernel<double, double, double, Pow>;
}

bool is_float_call(const Expression& call) { return call.type.is_float(); }

Kernel abs_kernel(const Expression& call) {
  return is_float_call(call) ? float_kernel<Abs>(call)
                             : checked_kernel<std::int64_t, std::int64_t, Abs>;
}

template <class F>
Kernel fold_kernel(const Expression& call) {
  switch (call.type.scalar) {
    case ScalarType::F32:
      return map_kernel<float, float, float, F>;
    case ScalarType::F64:
      return map_kernel<double, double, double, F>;
    case ScalarType::String:
      return map_kernel<std::string_view, std::string_view, std::string_view, F>;
    default:
      return map_kernel<std::int64_t, std::int64_t, std::int64_t, F>;
  }
}

const FunctionKernel abs_function{
    .select = abs_kernel, .can_fail = [](const Expression& call) { return !is_float_call(call); }};
const FunctionKernel min_function{.select = fold_kernel<Min>};
const FunctionKernel max_function{.select = fold_kernel<Max>};
const FunctionKernel floor_function{.select = float_kernel<Floor>};
const FunctionKernel ceil_function{.select = float_kernel<Ceil>};
const FunctionKernel round_function{.select = float_kernel<Round>};
const FunctionKernel sqrt_function{.select = float_kernel<Sqrt>};
const FunctionKernel log_function{.select = float_kernel<Log>};
const FunctionKernel exp_function{.select = float_kernel<Exp>};
const FunctionKernel pow_function{.select = pow_kernel};

Resolution resolve_abs(std::span<const Argument> arguments) {
  const Type type = arguments[0].type;
  if (type.is_vector() ||
      !(type.is_float() || type.scalar == ScalarType::I64 || type.scalar == ScalarType::Duration)) {
    return std::unexpected(wrong_argument("abs", "a number or a duration", arguments, 0));
  }
  if (auto checked = not_null("abs", arguments, 0); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return Signature{.parameters = {type}, .result = type, .fallible = !type.is_float()};
}

constexpr std::string_view whole = "an `i64` is whole already; to have a float, `to_f64(…)`";
constexpr std::string_view convert = "convert it: `to_f64(…)`";

}  // namespace

std::vector<FunctionDescriptor> number_functions() {
  return {
      {.name = "abs",
       .summary = "The absolute value of a number or duration, of its type; K0906 where an `i64` "
                  "has none",
       .parameters = "x",
       .examples = {"abs(-3) == 3", "abs(-2.5) == 2.5", "abs(-5s) == 5s"},
       .resolve = resolve_abs,
       .kernel = &abs_function},
      {.name = "min",
       .summary = "The least of two or more numbers, strings, timestamps or durations, all of one "
                  "type; NaN where one is NaN",
       .parameters = "a, b, …",
       .examples = {"min(3, 1, 2) == 1", "min(0.5, 2) == 0.5", "min(\"b\", \"a\") == \"a\"",
                    "min(1m, 59s) == 59s"},
       .least_arguments = 2,
       .most_arguments = SIZE_MAX,
       .resolve =
           [](std::span<const Argument> arguments) { return ordered_arguments("min", arguments); },
       .kernel = &min_function},
      {.name = "max",
       .summary = "The greatest of two or more numbers, strings, timestamps or durations, all of "
                  "one type; NaN where one is NaN",
       .parameters = "a, b, …",
       .examples = {"max(3, 1, 2) == 3", "max(0.5, 2) == 2.0", "max(\"b\", \"a\") == \"b\""},
       .least_arguments = 2,
       .most_arguments = SIZE_MAX,
       .resolve =
           [](std::span<const Argument> arguments) { return ordered_arguments("max", arguments); },
       .kernel = &max_function},
      {.name = "floor",
       .summary = "The greatest whole number that is not above a float, as a float",
       .parameters = "x",
       .examples = {"floor(2.7) == 2.0", "floor(-2.5) == -3.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("floor", arguments, whole);
           },
       .kernel = &floor_function},
      {.name = "ceil",
       .summary = "The least whole number that is not below a float, as a float",
       .parameters = "x",
       .examples = {"ceil(2.1) == 3.0", "ceil(-2.5) == -2.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("ceil", arguments, whole);
           },
       .kernel = &ceil_function},
      {.name = "round",
       .summary = "The nearest whole number, as a float; halves go away from zero",
       .parameters = "x",
       .examples = {"round(2.4) == 2.0", "round(2.5) == 3.0", "round(-2.5) == -3.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("round", arguments, whole);
           },
       .kernel = &round_function},
      {.name = "sqrt",
       .summary = "The square root of a float; NaN of a negative one",
       .parameters = "x",
       .examples = {"sqrt(9) == 3.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("sqrt", arguments, convert);
           },
       .kernel = &sqrt_function},
      {.name = "log",
       .summary = "The natural logarithm of a float; −inf of 0, NaN of a negative one",
       .parameters = "x",
       .examples = {"log(1) == 0.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("log", arguments, convert);
           },
       .kernel = &log_function},
      {.name = "exp",
       .summary = "e to the power of a float",
       .parameters = "x",
       .examples = {"exp(0) == 1.0"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("exp", arguments, convert);
           },
       .kernel = &exp_function},
      {.name = "pow",
       .summary = "A float to the power of another",
       .parameters = "x, y",
       .examples = {"pow(2, 10) == 1024.0", "pow(9.0, 0.5) == 3.0"},
       .least_arguments = 2,
       .most_arguments = 2,
       .resolve =
           [](std::span<const Argument> arguments) {
             return float_arguments("pow", arguments, convert);
           },
       .kernel = &pow_function},
  };
}

}  // namespace kaspar::nodes::expression
