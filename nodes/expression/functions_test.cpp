// The functions: what they take, what they give at the limits, what they are called.
#include <chrono>
#include <set>
#include <string>
#include <vector>

#include "nodes/expression/constant.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_expression(NodeRegistry& registry);
}

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry registry;
    register_expression(registry);
    return registry;
  }();
  return filled;
}

Expression literal(ScalarType type, Value value) {
  return {.kind = Kind::Literal, .type = {.scalar = type}, .literal = std::move(value)};
}
Expression literal(std::int64_t value) { return literal(ScalarType::I64, {value}); }
Expression literal(double value) { return literal(ScalarType::F64, {value}); }
Expression literal(bool value) { return literal(ScalarType::Bool, {value}); }
Expression literal(const char* value) { return literal(ScalarType::String, {std::string{value}}); }
Expression literal(std::chrono::milliseconds value) {
  return literal(ScalarType::Duration, {value});
}
Expression timestamp(std::int64_t value) { return literal(ScalarType::Timestamp, {value}); }

/// A literal as the type that it is wanted as.
Expression adapted(Expression expression, const Type& type) {
  if (expression.type == type) return expression;
  REQUIRE(expression.kind == Kind::Literal);
  if (const auto* integer = expression.literal.get<std::int64_t>(); integer && type.is_float()) {
    expression.literal = {static_cast<double>(*integer)};
  }
  expression.type = type;
  return expression;
}

Expression call(std::string_view name, std::vector<Expression> arguments) {
  const FunctionDescriptor* const function = registry().find_function(name);
  INFO(name);
  REQUIRE(function != nullptr);
  std::vector<Argument> types;
  for (const Expression& argument : arguments) {
    types.push_back({.type = argument.type, .literal = argument.kind == Kind::Literal});
  }
  const auto signature = function->resolve(types);
  if (!signature) FAIL(signature.error().message);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    arguments[i] = adapted(std::move(arguments[i]), signature->parameters[i]);
  }
  return {.kind = Kind::Call,
          .type = signature->result,
          .function = function,
          .children = std::move(arguments)};
}

template <class T>
T value_of(const Expression& expression) {
  const auto value = registry().evaluate(expression);
  if (!value) FAIL(value.error().message);
  REQUIRE(value->get<T>() != nullptr);
  return *value->get<T>();
}

template <class... Arguments>
std::string failure(std::string_view name, Arguments... arguments) {
  const auto value = registry().evaluate(call(name, {arguments...}));
  REQUIRE_FALSE(value.has_value());
  return std::string{name_of(value.error().code)} + ": " + value.error().message;
}

Argument argument(ScalarType scalar, bool optional = false, std::uint32_t width = 0) {
  return {.type = {.scalar = scalar, .width = width, .optional = optional}};
}

std::string refusal(std::string_view name, const std::vector<Argument>& arguments) {
  const auto signature = registry().find_function(name)->resolve(arguments);
  REQUIRE_FALSE(signature.has_value());
  const Issue& issue = signature.error();
  CHECK(issue.place.part == IssuePlace::Part::Operand);
  return std::string{name_of(issue.code)} + "@" + std::to_string(issue.place.index) + ": " +
         issue.message + (issue.help.empty() ? "" : " | " + issue.help);
}

}  // namespace

TEST_CASE("every function of the language is there and described") {
  std::set<std::string_view> names;
  for (const auto& function : registry().functions()) {
    names.insert(function->name);
    CHECK_FALSE(function->summary.empty());
    CHECK_FALSE(function->parameters.empty());
    REQUIRE_FALSE(function->examples.empty());
  }
  const std::set<std::string_view> all{
      "abs",  "min",       "max",       "floor",  "ceil",   "round",     "sqrt",     "log",
      "exp",  "pow",       "len",       "lower",  "upper",  "trim",      "contains", "starts_with",
      "hour", "ends_with", "to_string", "to_i64", "to_f64", "is_finite", "bucket",   "day_of_week"};
  CHECK(names == all);
}

TEST_CASE("what does not fit fails with the values") {
  CHECK(failure("abs", literal(INT64_MIN)) ==
        "K0906: abs(-9223372036854775808) does not fit an i64");
  CHECK(failure("abs", literal(std::chrono::milliseconds{INT64_MIN})) ==
        "K0906: abs(-9223372036854775808ms) does not fit a duration");
  CHECK(failure("to_i64", literal("12x")) == "K0906: \"12x\" is no i64");
  CHECK(failure("to_i64", literal("9223372036854775808")) ==
        "K0906: \"9223372036854775808\" is no i64");
  CHECK(failure("to_i64", literal("")) == "K0906: \"\" is no i64");
  CHECK(failure("to_i64", literal(0x1p63)) == "K0906: 9223372036854775808 does not fit an i64");
  CHECK(failure("to_i64", literal(0.0 / 0.0)) == "K0906: nan does not fit an i64");
  CHECK(failure("to_f64", literal("1e999")) == "K0906: \"1e999\" is no f64");
  CHECK(failure("to_f64", literal("a\nb\xFF")) == "K0906: \"a\\x0ab\\xff\" is no f64");
  CHECK(failure("to_f64", literal(std::string(100, 'x').c_str())) ==
        "K0906: \"" + std::string(40, 'x') + "…\" is no f64");
  CHECK(failure("bucket", literal("k"), literal(std::int64_t{0})) ==
        "K0906: there are no 0 buckets: it must be at least 1");
}

TEST_CASE("values at the limits") {
  CHECK(value_of<std::int64_t>(call("to_i64", {literal(-0x1p63)})) == INT64_MIN);
  CHECK(value_of<std::int64_t>(call("to_i64", {literal("-9223372036854775808")})) == INT64_MIN);
  CHECK(value_of<std::string>(call("to_string", {literal(-1.0 / 0.0)})) == "-inf");
  CHECK(value_of<std::string>(call("to_string", {literal(-(0.0 / 0.0))})) == "nan");
  CHECK(value_of<std::string>(call("to_string", {timestamp(1'234'567'890'123)})) ==
        "2009-02-13T23:31:30.123Z");
  CHECK(value_of<std::int64_t>(call("to_i64", {literal(false)})) == 0);
  CHECK(value_of<std::int64_t>(call("hour", {timestamp(-1)})) == 23);
  CHECK(value_of<std::int64_t>(call("hour", {timestamp(1'234'567'890'123)})) == 23);
  CHECK(value_of<std::int64_t>(call("day_of_week", {timestamp(0)})) == 4);   // a Thursday
  CHECK(value_of<std::int64_t>(call("day_of_week", {timestamp(-1)})) == 3);  // a Wednesday
  CHECK(value_of<std::int64_t>(call("day_of_week", {timestamp(345'600'000)})) == 1);
  CHECK(value_of<std::int64_t>(call("day_of_week", {timestamp(345'599'999)})) == 7);
  // FNV-1a's own test vectors: 64 bits of "a" and "foobar".
  CHECK(value_of<std::int64_t>(call("bucket", {literal("a"), literal(INT64_MAX)})) ==
        static_cast<std::int64_t>(0xaf63dc4c8601ec8cULL % INT64_MAX));
  CHECK(value_of<std::int64_t>(call("bucket", {literal("foobar"), literal(INT64_MAX)})) ==
        static_cast<std::int64_t>(0x85944171f73967e8ULL % INT64_MAX));
}

TEST_CASE("arguments of other types are refused where they stand") {
  using enum ScalarType;
  CHECK(refusal("sqrt", {argument(I64)}) ==
        "K0302@0: `sqrt` takes `f32` or `f64`, not `i64` | convert it: `to_f64(…)`");
  CHECK(refusal("pow", {argument(F64), argument(I64)}).starts_with("K0302@1: `pow` takes"));
  CHECK(refusal("floor", {argument(String)}) ==
        "K0302@0: `floor` takes `f32` or `f64`, not `string`");
  CHECK(
      refusal("floor", {argument(F32, true)}) ==
      "K0301@0: an argument of `floor` may be null | say what null counts as by `??`: `… ?? 0.0`");
  CHECK(refusal("abs", {argument(Bool)}).starts_with("K0302@0: `abs` takes a number"));
  CHECK(refusal("abs", {argument(F32, false, 3)}).starts_with("K0302@0"));
  CHECK(refusal("min", {argument(I64), argument(F64)}) ==
        "K0302@1: `min` takes arguments of one type, here `i64`, not `f64` | convert the `i64`: "
        "`to_f64(…)`");
  CHECK(refusal("min", {argument(F64), argument(F64), argument(I64)}).starts_with("K0302@2"));
  CHECK(refusal("min", {argument(I64), {.type = {.scalar = F64}, .literal = true}})
            .starts_with("K0302@1"));
  CHECK(refusal("min", {{.type = {.scalar = F64}, .literal = true}, argument(I64)})
            .starts_with("K0302@0"));
  CHECK(refusal("max", {argument(String), argument(I64)}).starts_with("K0302@1"));
  CHECK(refusal("max", {argument(Bool), argument(Bool)}).starts_with("K0302@0"));
  CHECK(refusal("max", {argument(Timestamp), argument(Duration)}).starts_with("K0302@1"));
  CHECK(refusal("len", {argument(I64)}).starts_with("K0302@0"));
  CHECK(refusal("len", {argument(String, true)}) ==
        "K0301@0: an argument of `len` may be null | say what null counts as by `??`: `… ?? \"\"`");
  CHECK(refusal("lower", {argument(I64)}) ==
        "K0302@0: `lower` takes a `string`, not `i64` | write it as text: `to_string(…)`");
  CHECK(refusal("contains", {argument(String), argument(Bytes, true)}).starts_with("K0301@1"));
  CHECK(refusal("to_string", {argument(F32, false, 4)}) ==
        "K0302@0: `to_string` takes a scalar, not `f32[4]`");
  CHECK(refusal("to_f64", {argument(Timestamp)}).starts_with("K0302@0"));
  CHECK(
      refusal("is_finite", {argument(I64)}) ==
      "K0302@0: `is_finite` takes `f32`, `f64` or a vector of them, not `i64` | an `i64` is always "
      "finite");
  CHECK(refusal("bucket", {argument(F64), argument(I64)}).starts_with("K0302@0"));
  CHECK(refusal("bucket", {argument(Bytes, true), argument(F64)}).starts_with("K0302@1"));
  CHECK(refusal("bucket", {argument(Bytes, true), argument(I64, true)}).starts_with("K0301@1"));
  CHECK(refusal("hour", {argument(I64)}).starts_with("K0302@0: `hour` takes a `timestamp`"));
}

TEST_CASE("literals adapt, text is converted, types are kept") {
  using enum ScalarType;
  const auto resolved = [](std::string_view name, const std::vector<Argument>& arguments) {
    const auto signature = registry().find_function(name)->resolve(arguments);
    if (!signature) FAIL(signature.error().message);
    std::string text;
    for (const Type& parameter : signature->parameters) text += to_string(parameter) + " ";
    return text + "-> " + to_string(signature->result) + (signature->fallible ? " !" : "");
  };
  const Argument one{.type = {.scalar = I64}, .literal = true};
  const Argument half{.type = {.scalar = F64}, .literal = true};
  CHECK(resolved("sqrt", {one}) == "f64 -> f64");
  CHECK(resolved("sqrt", {argument(F32)}) == "f32 -> f32");
  CHECK(resolved("pow", {argument(F32), one}) == "f32 f32 -> f32");
  CHECK(resolved("pow", {argument(F32), half}) == "f32 f32 -> f32");
  CHECK(resolved("pow", {argument(F32), argument(F64)}) == "f64 f64 -> f64");
  CHECK(resolved("min", {argument(F32), one, half}) == "f32 f32 f32 -> f32");
  CHECK(resolved("min", {one, one}) == "i64 i64 -> i64");
  CHECK(resolved("min", {one, half}) == "f64 f64 -> f64");
  CHECK(resolved("min", {argument(I64), one}) == "i64 i64 -> i64");
  CHECK(resolved("max", {argument(Bytes), argument(String)}) == "string string -> string");
  CHECK(resolved("max", {argument(Timestamp), argument(Timestamp)}) ==
        "timestamp timestamp -> timestamp");
  const Argument text{.type = {.scalar = String}, .literal = true};
  CHECK(resolved("max", {text, argument(Timestamp)}) == "timestamp timestamp -> timestamp");
  CHECK(resolved("hour", {text}) == "timestamp -> i64");
  CHECK(resolved("abs", {argument(I64)}) == "i64 -> i64 !");
  CHECK(resolved("abs", {argument(F32)}) == "f32 -> f32");
  CHECK(resolved("abs", {argument(Duration)}) == "duration -> duration !");
  CHECK(resolved("len", {argument(Bytes)}) == "bytes -> i64");
  CHECK(resolved("len", {argument(F32, false, 60)}) == "f32[60] -> i64");
  CHECK(resolved("lower", {argument(Bytes)}) == "string -> string");
  CHECK(resolved("contains", {argument(Bytes), argument(String)}) == "string string -> bool");
  CHECK(resolved("to_string", {argument(Bytes)}) == "string -> string");
  CHECK(resolved("to_i64", {argument(Bytes)}) == "string -> i64 !");
  CHECK(resolved("to_i64", {argument(Timestamp)}) == "timestamp -> i64");
  CHECK(resolved("to_i64", {argument(F32)}) == "f32 -> i64 !");
  CHECK(resolved("to_f64", {argument(I64)}) == "i64 -> f64");
  CHECK(resolved("is_finite", {argument(F32, false, 60)}) == "f32[60] -> bool");
  CHECK(resolved("bucket", {argument(Bytes, true), one}) == "bytes? i64 -> i64 !");
  CHECK(resolved("bucket", {argument(I64), argument(I64)}) == "i64 i64 -> i64 !");
}

}  // namespace kaspar::nodes::expression
