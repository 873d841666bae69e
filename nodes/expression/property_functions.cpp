// is_finite bucket hour day_of_week
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <string_view>

#include "nodes/expression/argument_rules.hpp"
#include "nodes/expression/function_kernel.hpp"
#include "nodes/expression/functions.hpp"
#include "nodes/expression/kernel_loops.hpp"

namespace kaspar::nodes::expression {
namespace {

struct IsFinite {
  template <class T>
  bool operator()(T value) const {
    return std::isfinite(value);
  }
};

template <class T>
void all_finite(const Instruction& instruction, Frame& frame) {
  bool* const out = frame.values<bool>(instruction.out);
  const T* const* const a = frame.values<const T*>(instruction.a);
  const std::size_t width = instruction.a.type.width;
  for_each_row(frame.rows(instruction), [=](std::size_t row) {
    T sum = 0;  // 0·v is 0 for each finite v and NaN for any other
    for (std::size_t i = 0; i < width; ++i) sum += a[row][i] * T{0};
    out[row] = !std::isnan(sum);
  });
}

std::uint64_t fnv1a(std::string_view bytes) {
  std::uint64_t hash = 0xCBF2'9CE4'8422'2325;
  for (const char c : bytes) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100'0000'01B3;
  }
  return hash;
}

std::uint64_t hash_of(std::string_view key) { return fnv1a(key); }

std::uint64_t hash_of(std::int64_t key) {
  std::array<char, 24> text;
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), key);
  return fnv1a({text.data(), end});
}

template <class T>
void bucket(const Instruction& instruction, Frame& frame) {
  auto* const out = frame.values<std::int64_t>(instruction.out);
  const T* const key = frame.values<T>(instruction.a);
  const std::uint8_t* const valid = frame.valid(instruction.a);
  const auto* const n = frame.values<std::int64_t>(instruction.b);
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    if (n[row] < 1) [[unlikely]] {
      frame.fail(row, DiagnosticCode::K0906,
                 fmt::format("there are no {} buckets: it must be at least 1", n[row]));
      return;
    }
    const bool null = valid != nullptr && valid[row] == 0;
    const std::uint64_t hash = null ? fnv1a({}) : hash_of(key[row]);
    out[row] = static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(n[row]));
  });
}

struct Hour {
  std::int64_t operator()(std::int64_t milliseconds) const {
    constexpr std::int64_t hour = 3'600'000;
    const std::int64_t in_day = milliseconds % (24 * hour);
    return (in_day < 0 ? in_day + 24 * hour : in_day) / hour;
  }
};

struct DayOfWeek {
  std::int64_t operator()(std::int64_t milliseconds) const {
    const auto day = std::chrono::floor<std::chrono::days>(
        std::chrono::sys_time<std::chrono::milliseconds>{std::chrono::milliseconds{milliseconds}});
    constexpr std::int64_t thursday = 3;  // 1 January 1970, from Monday
    const std::int64_t weekday = (day.time_since_epoch().count() % 7 + 7 + thursday) % 7;
    return weekday + 1;
  }
};

const FunctionKernel is_finite_function{.select = [](const Expression& call) -> Kernel {
  const Type& type = call.children[0].type;
  const bool f32 = type.scalar == ScalarType::F32;
  if (type.is_vector()) return f32 ? all_finite<float> : all_finite<double>;
  return f32 ? map_kernel<bool, float, IsFinite> : map_kernel<bool, double, IsFinite>;
}};

const FunctionKernel bucket_function{
    .select = [](const Expression& call) -> Kernel {
      return call.children[0].type.is_text() ? bucket<std::string_view> : bucket<std::int64_t>;
    },
    .can_fail =
        [](const Expression& call) {
          const Expression& n = call.children[1];
          const auto* const buckets =
              n.kind == Expression::Kind::Literal ? n.literal.get<std::int64_t>() : nullptr;
          return buckets == nullptr || *buckets < 1;
        }};

const FunctionKernel hour_function{.select = [](const Expression&) -> Kernel {
  return map_kernel<std::int64_t, std::int64_t, Hour>;
}};
const FunctionKernel day_of_week_function{.select = [](const Expression&) -> Kernel {
  return map_kernel<std::int64_t, std::int64_t, DayOfWeek>;
}};

Resolution resolve_is_finite(std::span<const Argument> arguments) {
  Type type = arguments[0].type;
  const bool literal = arguments[0].literal && type.scalar == ScalarType::I64;
  if (!type.is_float() && !literal) {
    return std::unexpected(wrong_argument(
        "is_finite", "`f32`, `f64` or a vector of them", arguments, 0,
        type.scalar == ScalarType::I64 && !type.is_vector() ? "an `i64` is always finite" : ""));
  }
  if (auto checked = not_null("is_finite", arguments, 0); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  if (literal) type.scalar = ScalarType::F64;
  return Signature{.parameters = {type}, .result = {.scalar = ScalarType::Bool}};
}

Resolution resolve_bucket(std::span<const Argument> arguments) {
  const Type& key = arguments[0].type;
  if (key.is_vector() || !(key.is_text() || key.scalar == ScalarType::I64)) {
    return std::unexpected(wrong_argument("bucket", "a `string`, `bytes` or `i64` as its key",
                                          arguments, 0,
                                          key.is_vector() ? ""
                                                          : "write it as text: "
                                                            "`to_string(…)`"));
  }
  if (!is_a(arguments[1], ScalarType::I64)) {
    return std::unexpected(
        wrong_argument("bucket", "the number of buckets as an `i64`", arguments, 1));
  }
  if (auto checked = not_null("bucket", arguments, 1); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return Signature{.parameters = {key, {.scalar = ScalarType::I64}},
                   .result = {.scalar = ScalarType::I64},
                   .fallible = true};
}

Resolution resolve_time(std::string_view name, std::span<const Argument> arguments) {
  if (!is_a(arguments[0], ScalarType::Timestamp)) {
    return std::unexpected(wrong_argument(
        name, "a `timestamp`", arguments, 0,
        arguments[0].type.is_vector() ? "" : "declare it as `timestamp` in its schema"));
  }
  if (auto checked = not_null(name, arguments, 0); !checked) {
    return std::unexpected(std::move(checked.error()));
  }
  return Signature{.parameters = {{.scalar = ScalarType::Timestamp}},
                   .result = {.scalar = ScalarType::I64}};
}

}  // namespace

std::vector<FunctionDescriptor> property_functions() {
  return {
      {.name = "is_finite",
       .summary = "Whether a float, or every element of a vector, is neither NaN nor infinite",
       .parameters = "x",
       .examples = {"is_finite(0.5) == true", "is_finite(1.0 / 0.0) == false"},
       .resolve = resolve_is_finite,
       .kernel = &is_finite_function},
      {.name = "bucket",
       .summary = "The FNV-1a hash (64 bits) of a key's bytes modulo `n`, from 0: equal keys share "
                  "a bucket. Null counts as empty, an `i64` as its decimal text; K0906 where `n` "
                  "is below 1",
       .parameters = "key, n",
       .examples = {"bucket(\"\", 1000) == 37", "bucket(7, 100) == bucket(\"7\", 100)"},
       .least_arguments = 2,
       .most_arguments = 2,
       .resolve = resolve_bucket,
       .kernel = &bucket_function},
      {.name = "hour",
       .summary = "The hour of a timestamp in UTC, 0 to 23",
       .parameters = "time",
       .examples = {"hour(\"2009-02-13T23:31:30Z\") == 23"},
       .resolve =
           [](std::span<const Argument> arguments) { return resolve_time("hour", arguments); },
       .kernel = &hour_function},
      {.name = "day_of_week",
       .summary = "The day of the week of a timestamp in UTC: Monday is 1, Sunday is 7",
       .parameters = "time",
       .examples = {"day_of_week(\"2026-01-05T00:00:00Z\") == 1"},
       .resolve =
           [](std::span<const Argument> arguments) {
             return resolve_time("day_of_week", arguments);
           },
       .kernel = &day_of_week_function},
  };
}

}  // namespace kaspar::nodes::expression
