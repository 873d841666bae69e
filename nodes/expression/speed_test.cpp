// How compiled expressions compare with loops written by hand, in the same run. Hidden: the numbers
// are for people (`nodes_expression_test "[.speed]"`, built by the release preset).
#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "nodes/expression/program_builder.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_expression(NodeRegistry& registry);
}

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

constexpr std::size_t rows = max_batch_records;
constexpr Type boolean{.scalar = ScalarType::Bool};
constexpr Type i64{.scalar = ScalarType::I64};
constexpr Type f64{.scalar = ScalarType::F64};
constexpr Type string{.scalar = ScalarType::String};
constexpr Type window{.scalar = ScalarType::F32, .width = 60};
constexpr Type f32{.scalar = ScalarType::F32};

enum : Slot { A, B, N, M, Country, Window, Flag, Integer, Number, Single };

const std::vector<Column> slots{
    {.name = "a", .type = f64},          {.name = "b", .type = f64},
    {.name = "n", .type = i64},          {.name = "m", .type = i64},
    {.name = "country", .type = string}, {.name = "window", .type = window},
    {.name = "flag", .type = boolean},   {.name = "integer", .type = i64},
    {.name = "number", .type = f64},     {.name = "single", .type = f32}};

Expression column(Slot slot) {
  return {.kind = Kind::Column, .type = slots[slot].type, .slot = slot, .text = slots[slot].name};
}
template <class T>
Expression literal(Type type, T value) {
  return {.kind = Kind::Literal, .type = type, .literal = {std::move(value)}};
}
Expression whole(std::int64_t value) { return literal(i64, value); }
Expression real(double value) { return literal(f64, value); }
Expression operation(Kind kind, Type type, std::vector<Expression> children) {
  return {.kind = kind, .type = type, .children = std::move(children)};
}

std::uint64_t hash(std::string_view key) {
  std::uint64_t value = 0xcbf29ce484222325;
  for (const char c : key) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return value;
}

/// Nanoseconds a row: the best of several runs.
double nanoseconds(const std::function<void()>& work) {
  using Clock = std::chrono::steady_clock;
  double best = 1e9;
  for (int attempt = 0; attempt < 50; ++attempt) {
    constexpr int times = 20;
    const auto begin = Clock::now();
    for (int i = 0; i < times; ++i) work();
    const std::chrono::duration<double, std::nano> took = Clock::now() - begin;
    best = std::min(best, took.count() / (times * static_cast<double>(rows)));
  }
  return best;
}

}  // namespace

TEST_CASE("speed of expressions beside loops by hand", "[.speed]") {
  NodeRegistry registry;
  register_expression(registry);
  const auto call = [&](std::string_view name, Type type, std::vector<Expression> children) {
    Expression made = operation(Kind::Call, type, std::move(children));
    made.function = registry.find_function(name);
    return made;
  };
  RecordBatch records;
  records.records.resize(rows);
  Batch batch(slots, rows);
  batch.reset(records);
  auto* const a = batch.column(A).values<double>();
  auto* const b = batch.column(B).values<double>();
  auto* const n = batch.column(N).values<std::int64_t>();
  auto* const m = batch.column(M).values<std::int64_t>();
  auto* const country = batch.column(Country).values<std::string_view>();
  auto* const flag = batch.column(Flag).values<bool>();
  auto* const integer = batch.column(Integer).values<std::int64_t>();
  auto* const number = batch.column(Number).values<double>();
  auto* const single = batch.column(Single).values<float>();
  const std::vector<std::string_view> countries{"DE", "FR", "US", "GB", "IN", "BR"};
  for (std::size_t row = 0; row < rows; ++row) {
    a[row] = static_cast<double>(row * 7919 % 1000) / 10;
    b[row] = static_cast<double>(row * 104729 % 1000) / 10;
    n[row] = static_cast<std::int64_t>(row * 31 % 10);
    m[row] = static_cast<std::int64_t>(row * 17 % 1000);
    country[row] = countries[row * 7919 % countries.size()];
    for (std::size_t i = 0; i < 60; ++i) {
      batch.column(Window).row<float>(row)[i] = static_cast<float>(i + row);
    }
  }
  std::size_t failed = 0;
  const auto compare = [&](const char* name, const Expression& expression, Slot out,
                           const std::function<void()>& by_hand) {
    ProgramBuilder builder;
    builder.compute(expression, out);
    const auto program = std::move(builder).finish();
    REQUIRE(program.has_value());
    const auto frame = program->make_frame();
    const double compiled = nanoseconds([&] { program->run(batch, *frame); });
    const double hand = nanoseconds(by_hand);
    std::printf("%-48s %7.2f ns a row, by hand %7.2f, ratio %5.2f\n", name, compiled, hand,
                compiled / hand);
    REQUIRE(batch.errors().empty());
  };

  compare("a * b + 1.5",
          operation(Kind::Add, f64,
                    {operation(Kind::Multiply, f64, {column(A), column(B)}), real(1.5)}),
          Number, [&] {
            for (std::size_t row = 0; row < rows; ++row) number[row] = a[row] * b[row] + 1.5;
          });
  compare("a * b + 1.5 > 100.0",
          operation(Kind::Greater, boolean,
                    {operation(Kind::Add, f64,
                               {operation(Kind::Multiply, f64, {column(A), column(B)}), real(1.5)}),
                     real(100)}),
          Flag, [&] {
            for (std::size_t row = 0; row < rows; ++row) flag[row] = a[row] * b[row] + 1.5 > 100.0;
          });
  compare(
      "(n + 1) * 3, checked",
      operation(Kind::Multiply, i64, {operation(Kind::Add, i64, {column(N), whole(1)}), whole(3)}),
      Integer, [&] {
        for (std::size_t row = 0; row < rows; ++row) {
          std::int64_t sum = 0;
          if (__builtin_add_overflow(n[row], 1, &sum) ||
              __builtin_mul_overflow(sum, 3, &integer[row])) {
            ++failed;
          }
        }
      });
  compare(
      "if n == 0 then 0.0 else to_f64(m) / to_f64(n)",
      operation(Kind::Case, f64,
                {operation(Kind::Equal, boolean, {column(N), whole(0)}), real(0),
                 operation(Kind::Divide, f64,
                           {call("to_f64", f64, {column(M)}), call("to_f64", f64, {column(N)})})}),
      Number, [&] {
        for (std::size_t row = 0; row < rows; ++row) {
          number[row] =
              n[row] == 0 ? 0.0 : static_cast<double>(m[row]) / static_cast<double>(n[row]);
        }
      });
  compare("a > 30.0 and country in [\"DE\", \"FR\", \"GB\"]",
          operation(Kind::And, boolean,
                    {operation(Kind::Greater, boolean, {column(A), real(30)}),
                     operation(Kind::In, boolean,
                               {column(Country), literal(string, std::string{"DE"}),
                                literal(string, std::string{"FR"}),
                                literal(string, std::string{"GB"})})}),
          Flag, [&] {
            for (std::size_t row = 0; row < rows; ++row) {
              flag[row] = a[row] > 30.0 &&
                          (country[row] == "DE" || country[row] == "FR" || country[row] == "GB");
            }
          });
  compare("bucket(country, 100)", call("bucket", i64, {column(Country), whole(100)}), Integer, [&] {
    for (std::size_t row = 0; row < rows; ++row) {
      integer[row] = static_cast<std::int64_t>(hash(country[row]) % 100);
    }
  });
  compare("window[59] - window[0]",
          operation(Kind::Subtract, f32,
                    {operation(Kind::Element, f32, {column(Window), whole(59)}),
                     operation(Kind::Element, f32, {column(Window), whole(0)})}),
          Single, [&] {
            for (std::size_t row = 0; row < rows; ++row) {
              const float* const x = batch.column(Window).row<float>(row);
              single[row] = x[59] - x[0];
            }
          });
  compare("m / 60 % 24, checked",
          operation(Kind::Remainder, i64,
                    {operation(Kind::Divide, i64, {column(M), whole(60)}), whole(24)}),
          Integer, [&] {
            for (std::size_t row = 0; row < rows; ++row) integer[row] = m[row] / 60 % 24;
          });
  CHECK(failed == 0);
}

}  // namespace kaspar::nodes::expression
