// filter, derive, keep and route, as the engine runs them.
#include <fmt/format.h>

#include <string>
#include <vector>

#include "nodes/expression/expression_limits.hpp"
#include "nodes/expression/fallibility.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_expression(NodeRegistry& registry);
}

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

constexpr Type boolean{.scalar = ScalarType::Bool};
constexpr Type i64{.scalar = ScalarType::I64};
constexpr Type f64{.scalar = ScalarType::F64};
constexpr Type i64_or_null{.scalar = ScalarType::I64, .optional = true};
constexpr Type bytes{.scalar = ScalarType::Bytes};
constexpr Type string{.scalar = ScalarType::String};

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry registry;
    register_expression(registry);
    return registry;
  }();
  return filled;
}

const NodeDescriptor& stage(std::string_view name) {
  return *registry().find(NodeRole::Stage, name);
}

Expression column(Slot slot, Type type) {
  return {.kind = Kind::Column, .type = type, .slot = slot, .text = fmt::format("c{}", slot)};
}
Expression number(std::int64_t value) {
  return {.kind = Kind::Literal, .type = i64, .literal = {value}, .text = std::to_string(value)};
}
Expression operation(Kind kind, Type type, std::vector<Expression> children) {
  return {.kind = kind, .type = type, .text = "expression", .children = std::move(children)};
}
Expression call(std::string_view name, Type type, std::vector<Expression> children) {
  Expression made = operation(Kind::Call, type, std::move(children));
  made.function = registry().find_function(name);
  return made;
}
Expression meta_timestamp() {
  return {.kind = Kind::Meta,
          .type = {.scalar = ScalarType::Timestamp},
          .meta = MetaField::Timestamp,
          .text = "meta.timestamp"};
}

StageCall calling(std::vector<std::pair<std::string, Expression>> entries) {
  StageCall call;
  for (auto& [role, expression] : entries) {
    call.operands.push_back({.role = role, .expression = std::move(expression)});
  }
  return call;
}

struct Run {
  Run(const std::vector<Column>& slots, std::size_t rows) : batch(slots, rows) {
    records.records.resize(rows);
    batch.reset(records);
  }
  void operator()(std::string_view name, const StageCall& call, std::vector<Slot> writes) {
    const auto inferred = stage(name).infer(call);
    if (!inferred) FAIL(inferred.error().message);
    const auto work = stage(name).make_operator({call, writes, inferred->resource});
    const auto state = work->make_state();
    work->process(batch, state.get());
    batch.end_stage();
  }
  template <class T>
  T* values(Slot slot) {
    return batch.column(slot).values<T>();
  }
  RecordBatch records;
  Batch batch;
};

std::vector<Row> alive(const Batch& batch) { return {batch.alive().begin(), batch.alive().end()}; }

}  // namespace

TEST_CASE("filter keeps the rows for which its condition is true, over several blocks") {
  Run run({{.name = "n", .type = i64}}, 1000);
  std::vector<Row> expected;
  for (Row row = 0; row < 1000; ++row) {
    run.values<std::int64_t>(0)[row] = row % 7;
    if (row % 7 > 4) expected.push_back(row);
  }
  run("filter", calling({{"", operation(Kind::Greater, boolean, {column(0, i64), number(4)})}}),
      {});
  CHECK(alive(run.batch) == expected);
  CHECK(run.batch.errors().empty());
}

TEST_CASE("derive goes left to right, and a failed row is not computed further") {
  const std::vector<Column> slots{
      {.name = "n", .type = i64}, {.name = "a", .type = i64}, {.name = "b", .type = i64}};
  Run run(slots, 5);
  const std::int64_t input[] = {1, INT64_MAX, -1, 0, -2};
  std::copy(std::begin(input), std::end(input), run.values<std::int64_t>(0));
  const StageCall call =
      calling({{"a", operation(Kind::Add, i64, {column(0, i64), number(1)})},
               {"b", operation(Kind::Divide, i64, {number(100), column(1, i64)})}});
  const auto inferred = stage("derive").infer(call);
  REQUIRE(inferred.has_value());
  CHECK(inferred->fallible);
  CHECK_FALSE(inferred->replaces_all);
  REQUIRE(inferred->columns.size() == 2);
  CHECK(inferred->columns[0] == slots[1]);
  CHECK(inferred->columns[1] == slots[2]);
  run("derive", call, {1, 2});
  CHECK(alive(run.batch) == std::vector<Row>{0, 3, 4});
  CHECK(run.values<std::int64_t>(2)[0] == 50);
  CHECK(run.values<std::int64_t>(2)[3] == 100);
  CHECK(run.values<std::int64_t>(2)[4] == -100);
  REQUIRE(run.batch.errors().size() == 2);
  CHECK(run.batch.errors()[0].row == 1);
  CHECK(name_of(run.batch.errors()[0].code) == "K0906");
  CHECK(run.batch.errors()[0].message == "9223372036854775807 + 1 does not fit an i64");
  CHECK(run.batch.errors()[1].row == 2);
  CHECK(run.batch.errors()[1].message == "100 / 0 divides by zero");
}

TEST_CASE("derive writes validity where the column has one") {
  const Type text_or_null{.scalar = ScalarType::Bytes, .optional = true};
  Run run({{.name = "n", .type = i64_or_null},
           {.name = "copy", .type = i64_or_null},
           {.name = "key", .type = text_or_null},
           {.name = "sure", .type = i64_or_null}},
          2);
  run.records.records[0].key = "k";
  run.records.records[0].has_key = true;
  run.values<std::int64_t>(0)[0] = 7;
  run.batch.column(0).valid[0] = 1;
  run("derive",
      calling({{"copy", column(0, i64_or_null)},
               {"key", {.kind = Kind::Meta, .type = text_or_null, .meta = MetaField::Key}},
               {"sure", operation(Kind::Coalesce, i64, {column(0, i64_or_null), number(3)})}}),
      {1, 2, 3});
  CHECK(run.values<std::int64_t>(1)[0] == 7);
  CHECK_FALSE(run.batch.column(1).is_null(0));
  CHECK(run.batch.column(1).is_null(1));
  CHECK(run.values<std::string_view>(2)[0] == "k");
  CHECK(run.batch.column(2).is_null(1));
  CHECK_FALSE(run.batch.column(3).is_null(0));
  CHECK_FALSE(run.batch.column(3).is_null(1));
  CHECK(run.values<std::int64_t>(3)[1] == 3);
}

TEST_CASE("only what is needed can fail a row") {
  Run run(
      {{.name = "n", .type = i64}, {.name = "safe", .type = i64}, {.name = "big", .type = boolean}},
      3);
  run.values<std::int64_t>(0)[1] = 4;
  run.values<std::int64_t>(0)[2] = 20;
  const Expression zero = operation(Kind::Equal, boolean, {column(0, i64), number(0)});
  const Expression quotient = operation(Kind::Divide, i64, {number(100), column(0, i64)});
  run("derive",
      calling({{"safe", operation(Kind::Case, i64, {zero, number(-1), quotient})},
               {"big", operation(Kind::And, boolean,
                                 {operation(Kind::Not, boolean, {zero}),
                                  operation(Kind::Greater, boolean, {quotient, number(10)})})}}),
      {1, 2});
  CHECK(run.batch.errors().empty());
  CHECK(std::vector<std::int64_t>(run.values<std::int64_t>(1), run.values<std::int64_t>(1) + 3) ==
        std::vector<std::int64_t>{-1, 25, 5});
  CHECK(std::vector<bool>(run.values<bool>(2), run.values<bool>(2) + 3) ==
        std::vector<bool>{false, true, false});
}

TEST_CASE("route numbers the first arm that is true") {
  Run run({{.name = "n", .type = i64}, {.name = "route", .type = i64}}, 4);
  for (std::int64_t row = 0; row < 4; ++row) run.values<std::int64_t>(0)[row] = row;
  const auto above = [](std::int64_t limit) {
    return operation(Kind::Greater, boolean, {column(0, i64), number(limit)});
  };
  const StageCall call = calling(
      {{"", operation(Kind::Case, i64, {above(2), number(0), above(0), number(1), number(2)})}});
  REQUIRE(stage("route").infer(call).has_value());
  CHECK(stage("route").infer(call)->columns == std::vector<Column>{{.name = "route", .type = i64}});
  CHECK_FALSE(stage("route").infer(call)->fallible);
  run("route", call, {1});
  CHECK(std::vector<std::int64_t>(run.values<std::int64_t>(1), run.values<std::int64_t>(1) + 4) ==
        std::vector<std::int64_t>{2, 1, 1, 0});
}

TEST_CASE("keep changes no row") {
  Run run({{.name = "n", .type = i64}}, 3);
  run("keep", {}, {});
  CHECK(alive(run.batch).size() == 3);
  CHECK(stage("keep").infer({})->columns.empty());
}

TEST_CASE("a record without a timestamp fails where its time is wanted") {
  Run run({{.name = "at", .type = {.scalar = ScalarType::Timestamp}}}, 2);
  run.records.records[0].timestamp = 5;
  const StageCall call = calling({{"at", meta_timestamp()}});
  CHECK(stage("derive").infer(call)->fallible);
  run("derive", call, {0});
  CHECK(run.values<std::int64_t>(0)[0] == 5);
  REQUIRE(run.batch.errors().size() == 1);
  CHECK(run.batch.errors()[0].row == 1);
  CHECK(name_of(run.batch.errors()[0].code) == "K0905");
  CHECK(run.batch.errors()[0].message == "the record has no timestamp");
}

TEST_CASE("filter takes a condition that is never null") {
  const auto issue_of = [](Type type) {
    const auto inferred = stage("filter").infer(calling({{"", column(0, type)}}));
    REQUIRE_FALSE(inferred.has_value());
    CHECK(inferred.error().place.part == IssuePlace::Part::Operand);
    CHECK(inferred.error().place.index == 0);
    return std::string{name_of(inferred.error().code)} + ": " + inferred.error().message;
  };
  CHECK(issue_of(i64) == "K0302: `filter` takes a `bool`, not `i64`");
  CHECK(issue_of({.scalar = ScalarType::Bool, .optional = true}) == "K0301: `c0` may be null");
  CHECK(issue_of({.scalar = ScalarType::F32, .width = 3}) ==
        "K0302: `filter` takes a `bool`, not `f32[3]`");
  CHECK_FALSE(stage("filter").infer(calling({{"", column(0, boolean)}}))->fallible);
}

TEST_CASE("a stage is fallible where a row can fail in it, and not else") {
  const Type vector{.scalar = ScalarType::F32, .width = 3};
  const Type f32{.scalar = ScalarType::F32};
  const auto at = [&](Expression index) {
    return operation(Kind::Element, f32, {column(0, vector), std::move(index)});
  };
  const auto divided_by = [](Expression divisor, Kind kind = Kind::Divide) {
    return operation(kind, i64, {column(0, i64), std::move(divisor)});
  };
  const auto text = [](const char* value) {
    return Expression{.kind = Kind::Literal, .type = string, .literal = {std::string{value}}};
  };
  CHECK(is_fallible(operation(Kind::Add, i64, {column(0, i64), number(1)})));
  CHECK_FALSE(is_fallible(operation(Kind::Add, f64, {column(0, f64), column(0, f64)})));
  CHECK_FALSE(is_fallible(operation(Kind::Divide, f64, {column(0, f64), column(0, f64)})));
  CHECK(is_fallible(divided_by(column(0, i64))));
  CHECK(is_fallible(divided_by(number(0))));
  CHECK(is_fallible(divided_by(number(-1))));
  CHECK_FALSE(is_fallible(divided_by(number(60))));
  CHECK_FALSE(is_fallible(divided_by(number(-1), Kind::Remainder)));
  CHECK_FALSE(is_fallible(at(number(2))));
  CHECK(is_fallible(at(number(3))));
  CHECK(is_fallible(at(number(-1))));
  CHECK(is_fallible(at(column(1, i64))));
  CHECK(is_fallible(operation(Kind::Convert, string, {column(0, bytes)})));
  CHECK_FALSE(is_fallible(operation(Kind::Convert, bytes, {column(0, string)})));
  CHECK_FALSE(is_fallible(call("bucket", i64, {column(0, string), number(4)})));
  CHECK(is_fallible(call("bucket", i64, {column(0, string), number(0)})));
  CHECK(is_fallible(call("bucket", i64, {column(0, string), column(1, i64)})));
  CHECK(is_fallible(call("to_i64", i64, {column(0, string)})));
  CHECK_FALSE(is_fallible(call("to_i64", i64, {column(0, boolean)})));
  CHECK(is_fallible(
      operation(Kind::Coalesce, i64, {column(0, i64_or_null), divided_by(column(1, i64))})));
  // Constants are computed to know.
  CHECK_FALSE(is_fallible(operation(Kind::Multiply, i64, {number(60), number(60)})));
  CHECK(is_fallible(operation(Kind::Multiply, i64, {number(INT64_MAX), number(2)})));
  const auto compared_with = [&](const char* value) {
    return operation(Kind::Less, boolean, {column(0, i64), call("to_i64", i64, {text(value)})});
  };
  CHECK_FALSE(is_fallible(compared_with("5")));
  CHECK(is_fallible(compared_with("five")));
}

TEST_CASE("constants are evaluated as rows are") {
  const auto sum = registry().evaluate(operation(Kind::Add, i64, {number(2), number(3)}));
  REQUIRE(sum.has_value());
  CHECK(*sum->get<std::int64_t>() == 5);
  const auto overflow = registry().evaluate(operation(Kind::Negate, i64, {number(INT64_MIN)}));
  REQUIRE_FALSE(overflow.has_value());
  CHECK(name_of(overflow.error().code) == "K0906");
  CHECK(overflow.error().message == "-(-9223372036854775808) does not fit an i64");
  CHECK_FALSE(registry().evaluate(column(0, i64)).has_value());
  const auto null = registry().evaluate({.kind = Kind::Literal, .type = i64_or_null});
  REQUIRE(null.has_value());
  CHECK(null->get<std::monostate>() != nullptr);
}

TEST_CASE("trees beyond the limits and malformed ones are refused, not followed") {
  const auto code_of = [](const Expression& expression) {
    const auto inferred = stage("derive").infer(calling({{"a", number(1)}, {"b", expression}}));
    REQUIRE_FALSE(inferred.has_value());
    CHECK(inferred.error().place.index == 1);
    return std::string{name_of(inferred.error().code)};
  };
  const auto sum_of = [](std::size_t terms) {
    Expression sum = column(0, i64);
    for (std::size_t i = 1; i < terms; ++i) {
      sum = operation(Kind::Add, i64, {std::move(sum), column(0, i64)});
    }
    return sum;
  };
  CHECK(code_of(sum_of(max_depth + 1)) == "K0101");
  CHECK(stage("derive").infer(calling({{"a", sum_of(max_depth)}})).has_value());
  Expression nested = column(0, i64);
  for (std::size_t i = 1; i < max_depth; ++i) {
    nested = operation(Kind::Case, i64, {column(1, boolean), number(1), std::move(nested)});
  }
  CHECK(stage("derive").infer(calling({{"a", nested}})).has_value());
  std::vector<Expression> many(max_nodes, column(0, i64));
  many.insert(many.begin(), column(0, i64));
  CHECK(code_of(operation(Kind::In, boolean, many)) == "K0101");
  std::vector<Expression> literals(max_nodes, number(4));
  literals.insert(literals.begin(), column(0, i64));
  CHECK(
      stage("derive").infer(calling({{"a", operation(Kind::In, boolean, literals)}})).has_value());

  CHECK(code_of(operation(Kind::Add, i64, {number(1)})) == "K0302");
  CHECK(code_of(operation(Kind::Add, i64, {number(1), column(0, string)})) == "K0302");
  CHECK(code_of(operation(Kind::Add, boolean, {column(0, boolean), column(0, boolean)})) ==
        "K0302");
  CHECK(code_of(operation(Kind::Case, boolean, {column(0, boolean), number(1), number(2)})) ==
        "K0302");
  CHECK(code_of(operation(Kind::Case, i64, {column(0, boolean), number(1)})) == "K0302");
  CHECK(code_of(operation(Kind::Less, boolean, {column(0, boolean), column(0, boolean)})) ==
        "K0302");
  CHECK(code_of({.kind = Kind::Local, .type = i64, .local = 3}) == "K0302");
  CHECK(code_of(call("sqrt", f64, {number(4)})) == "K0302");
  CHECK(code_of(call("len", boolean, {column(0, string)})) == "K0302");
  CHECK(code_of({.kind = Kind::Call, .type = i64}) == "K0302");
}

TEST_CASE("text that grows without bounds fails the row") {
  const std::string large(6u << 20, 'x');
  Run run({{.name = "s", .type = string},
           {.name = "twice", .type = string},
           {.name = "four", .type = string}},
          2);
  run.values<std::string_view>(0)[0] = large;
  run.values<std::string_view>(0)[1] = "y";
  run("derive",
      calling({{"twice", operation(Kind::Add, string, {column(0, string), column(0, string)})},
               {"four", operation(Kind::Add, string, {column(1, string), column(1, string)})}}),
      {1, 2});
  REQUIRE(run.batch.errors().size() == 1);
  CHECK(run.batch.errors()[0].row == 0);
  CHECK(name_of(run.batch.errors()[0].code) == "K0907");
  CHECK(run.values<std::string_view>(2)[1] == "yyyy");
}

}  // namespace kaspar::nodes::expression
