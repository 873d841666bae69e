#include "nodes/json/json_parser.hpp"

#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <string>

#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_json(NodeRegistry& registry);
}

using namespace kaspar;
using nodes::json::JsonParser;

namespace {

Column column(std::string name, ScalarType scalar, bool optional = false, std::uint32_t width = 0,
              std::string origin = {}) {
  return {.name = std::move(name),
          .type = {.scalar = scalar, .width = width, .optional = optional},
          .origin = std::move(origin)};
}

struct Parsed {
  Parsed(std::vector<Column> columns, const std::vector<std::string>& values)
      : schema{.name = "S", .columns = std::move(columns)},
        texts(values),
        batch(schema.columns, std::max<std::size_t>(1, values.size())) {
    for (const std::string& text : texts)
      records.records.push_back({.value = text, .has_value = true});
    std::vector<Slot> writes(schema.columns.size());
    std::iota(writes.begin(), writes.end(), Slot{0});
    const JsonParser parser(schema, writes);
    const auto state = parser.make_state();
    batch.reset(records);
    batch.begin_stage(0);
    parser.process(batch, state.get());
    batch.end_stage();
  }

  template <class T>
  T at(Slot slot, Row row = 0) {
    REQUIRE(row < batch.rows());
    REQUIRE_FALSE(batch.column(slot).is_null(row));
    return *batch.column(slot).row<T>(row);
  }

  Schema schema;
  std::vector<std::string> texts;
  RecordBatch records;
  Batch batch;
};

/// "K0902: message", or "" for a row that does not fail.
std::string failure(Column of, const std::string& text) {
  Parsed parsed({std::move(of)}, {text});
  if (parsed.batch.errors().empty()) return {};
  const RowError& error = parsed.batch.errors()[0];
  return std::string{name_of(error.code)} + ": " + error.message;
}

std::string code(Column of, const std::string& text) {
  return failure(std::move(of), text).substr(0, 5);
}

}  // namespace

TEST_CASE("each type is read from its own kind of value") {
  Parsed parsed(
      {column("b", ScalarType::Bool), column("i", ScalarType::I64), column("f", ScalarType::F32),
       column("d", ScalarType::F64), column("s", ScalarType::String),
       column("y", ScalarType::Bytes), column("t", ScalarType::Timestamp),
       column("u", ScalarType::Duration), column("v", ScalarType::F32, false, 3)},
      {R"( {"x": [{"b": 1}], "b": true, "i": -9223372036854775808, "f": 0.1, "d": 1e308,
                     "s": "a\"\u20ac\ud83d\ude00", "y": "", "t": "2026-01-01T00:00:00Z",
                     "u": "-90s", "v": [1, 2.5, -3e-2]} )"});
  REQUIRE(parsed.batch.errors().empty());
  CHECK(parsed.at<bool>(0));
  CHECK(parsed.at<std::int64_t>(1) == std::numeric_limits<std::int64_t>::min());
  CHECK(parsed.at<float>(2) == 0.1F);
  CHECK(parsed.at<double>(3) == 1e308);
  CHECK(parsed.at<std::string_view>(4) == "a\"€😀");
  CHECK(parsed.at<std::string_view>(5).empty());
  CHECK(parsed.at<std::int64_t>(6) == 1'767'225'600'000);
  CHECK(parsed.at<std::int64_t>(7) == -90'000);
  const float* v = parsed.batch.column(8).row<float>(0);
  CHECK(v[0] == 1.0F);
  CHECK(v[1] == 2.5F);
  CHECK(v[2] == -0.03F);
}

TEST_CASE("times are milliseconds too") {
  Parsed parsed({column("t", ScalarType::Timestamp), column("u", ScalarType::Duration)},
                {R"({"t": -1, "u": 250})"});
  REQUIRE(parsed.batch.errors().empty());
  CHECK(parsed.at<std::int64_t>(0) == -1);
  CHECK(parsed.at<std::int64_t>(1) == 250);
}

TEST_CASE("nothing is coerced") {
  CHECK(failure(column("x", ScalarType::I64), R"({"x": "1"})") ==
        "K0902: `x` is no `i64`: the string `1`");
  CHECK(failure(column("x", ScalarType::I64), R"({"x": 1.5})") == "K0902: `x` is no `i64`: `1.5`");
  CHECK(code(column("x", ScalarType::I64), R"({"x": 1e2})") == "K0902");
  CHECK(code(column("x", ScalarType::I64), R"({"x": true})") == "K0902");
  CHECK(code(column("x", ScalarType::F64), R"({"x": "1.5"})") == "K0902");
  CHECK(code(column("x", ScalarType::F32), R"({"x": "nan"})") == "K0902");
  CHECK(code(column("x", ScalarType::Bool), R"({"x": 1})") == "K0902");
  CHECK(code(column("x", ScalarType::Bool), R"({"x": "true"})") == "K0902");
  CHECK(code(column("x", ScalarType::String), R"({"x": 1})") == "K0902");
  CHECK(code(column("x", ScalarType::Timestamp), R"({"x": "1700000000000"})") == "K0902");
  CHECK(code(column("x", ScalarType::Timestamp), R"({"x": 1.5})") == "K0902");
  CHECK(code(column("x", ScalarType::Duration), R"({"x": "5"})") == "K0902");
  CHECK(failure(column("x", ScalarType::F64), R"({"x": [1, 2]})") ==
        "K0902: `x` is no `f64`: an array of 2");
  CHECK(code(column("x", ScalarType::F64), R"({"x": {}})") == "K0902");
}

TEST_CASE("what is out of range is said to be") {
  CHECK(failure(column("x", ScalarType::I64), R"({"x": 9223372036854775808})") ==
        "K0902: `x` is out of the range of `i64`: `9223372036854775808`");
  CHECK(code(column("x", ScalarType::F32), R"({"x": 1e39})") == "K0902");
  CHECK(failure(column("x", ScalarType::F64), R"({"x": 1e400})") ==
        "K0902: `x` is no `f64`: a number that no `f64` holds");
  CHECK(failure(column("v", ScalarType::F64, false, 2), R"({"v": [1, 1e400]})") ==
        "K0902: `v[1]` is no `f64`: a number that no `f64` holds");
  CHECK(code(column("x", ScalarType::F64), R"({"x": -1e400})") == "K0902");
  CHECK(code(column("x", ScalarType::Duration), R"({"x": "9223372036854775807h"})") == "K0902");
  Parsed parsed({column("x", ScalarType::F64)},
                {R"({"x": 123456789012345678901234567890, "other": [1e999, "9e999"]})",
                 R"({"x": 1e-400, "other": -340282366920938463463374607431768211456})"});
  REQUIRE(parsed.batch.errors().empty());
  CHECK(parsed.at<double>(0) == 123456789012345678901234567890.0);
  CHECK(parsed.at<double>(0, 1) == 0.0);
}

TEST_CASE("vectors take arrays of their width") {
  const Column v = column("v", ScalarType::F64, false, 2);
  CHECK(failure(v, R"({"v": [1]})") == "K0901: `v` has 1 elements, and the vector 2");
  CHECK(failure(v, R"({"v": [1, 2, 3, 4]})") ==
        "K0901: `v` has more than 2 elements, and the vector 2");
  CHECK(code(v, R"({"v": []})") == "K0901");
  CHECK(failure(v, R"({"v": [1, null]})") == "K0905: `v[1]` is no `f64`: null");
  CHECK(failure(v, R"({"v": ["1", 2]})") == "K0902: `v[0]` is no `f64`: the string `1`");
  CHECK(code(v, R"({"v": 1})") == "K0902");
  CHECK(code(v, R"({"v": null})") == "K0905");
  CHECK(code(column("v", ScalarType::F64, true, 2), R"({"v": null})").empty());
}

TEST_CASE("what is missing is null") {
  CHECK(failure(column("x", ScalarType::I64), "{}") == "K0905: `x` is missing or null");
  CHECK(code(column("x", ScalarType::I64), R"({"x": null})") == "K0905");
  Parsed parsed({column("x", ScalarType::String, true)}, {"{}", R"({"x": null})", R"({"x": ""})"});
  REQUIRE(parsed.batch.errors().empty());
  CHECK(parsed.batch.column(0).is_null(0));
  CHECK(parsed.batch.column(0).is_null(1));
  CHECK(parsed.at<std::string_view>(0, 2).empty());
}

TEST_CASE("what is no JSON object is malformed") {
  const Column x = column("x", ScalarType::I64, true);
  for (const char* text : {"",
                           " ",
                           "{",
                           "}",
                           "[1]",
                           "1",
                           "null",
                           "\"x\"",
                           R"({"x": 1} 2)",
                           R"({"x": 1}{"x": 2})",
                           R"({"x" 1})",
                           R"({"x": 01})",
                           R"({"x": 1.})",
                           R"({"x": +1})",
                           R"({"x": nan})",
                           R"({"x": tru})",
                           R"({x: 1})",
                           R"({'x': 1})",
                           R"({"x": 1,})",
                           R"({"y": "\x"})",
                           "{\"y\": \"\xff\"}",
                           R"({"y": "\ud800"})",
                           "{\"y\": \"a\nb\"}",
                           R"({"y": .5})"}) {
    INFO(text);
    CHECK(code(x, text) == "K0903");
  }
  CHECK(code(x, R"({"y": )" + std::string(5000, '[') + std::string(5000, ']') + "}") == "K0903");
  CHECK(code(x, std::string("{\"x\": 1}\0", 9)) == "K0903");
}

TEST_CASE("a record without a value is null") {
  Schema schema{.name = "S", .columns = {column("x", ScalarType::I64, true)}};
  RecordBatch records;
  records.records.push_back({});
  Batch batch(schema.columns, 1);
  const std::vector<Slot> writes{0};
  const JsonParser parser(schema, writes);
  const auto state = parser.make_state();
  batch.reset(records);
  batch.begin_stage(0);
  parser.process(batch, state.get());
  batch.end_stage();
  REQUIRE(batch.errors().size() == 1);
  CHECK(batch.errors()[0].code == DiagnosticCode::K0905);
}

TEST_CASE("paths lead into objects") {
  const auto path = [](bool optional) {
    return column("c", ScalarType::I64, optional, 0, "a.b.c");
  };
  Parsed parsed({path(false), column("a", ScalarType::I64, true, 0, "a.x"),
                 column("again", ScalarType::I64, false, 0, "a.b.c")},
                {R"({"a": {"x": 1, "b": {"d": 2, "c": 3}}, "c": 9})"});
  REQUIRE(parsed.batch.errors().empty());
  CHECK(parsed.at<std::int64_t>(0) == 3);
  CHECK(parsed.at<std::int64_t>(1) == 1);
  CHECK(parsed.at<std::int64_t>(2) == 3);
  CHECK(code(path(true), R"({"a": null})").empty());
  CHECK(code(path(true), R"({"a": {"b": null}})").empty());
  CHECK(code(path(false), R"({"a": {"b": {}}})") == "K0905");
  CHECK(failure(path(true), R"({"a": {"b": 7}})") ==
        "K0902: `a.b.c` leads through `7`, which is no object");
  CHECK(code(path(true), R"({"a": [1]})") == "K0902");
}

TEST_CASE("the last of several keys counts, at every level") {
  const Column x = column("x", ScalarType::I64, true, 0, "a.x");
  const auto value = [&](const std::string& text) {
    Parsed parsed({x}, {text});
    REQUIRE(parsed.batch.errors().empty());
    return parsed.batch.column(0).is_null(0) ? -1 : parsed.at<std::int64_t>(0);
  };
  CHECK(value(R"({"a": {"x": 1, "x": 2}})") == 2);
  CHECK(value(R"({"a": {"x": 1}, "a": {"x": 3}})") == 3);
  CHECK(value(R"({"a": {"x": 1}, "a": {}})") == -1);
  CHECK(value(R"({"a": {"x": 1}, "a": null})") == -1);
  CHECK(value(R"({"a": 7, "a": {"x": 4}})") == 4);
  CHECK(value(R"({"a": {"x": "s", "x": 5}})") == 5);
}

TEST_CASE("rows do not disturb each other") {
  std::vector<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    texts.push_back(i % 3 == 0 ? "{" : R"({"s": "row )" + std::to_string(i) + R"("})");
  }
  Parsed parsed({column("s", ScalarType::String)}, texts);
  CHECK(parsed.batch.errors().size() == 100);
  for (const Row row : parsed.batch.alive()) {
    CHECK(parsed.at<std::string_view>(0, row) == "row " + std::to_string(row));
  }
}

TEST_CASE("an empty key in a path is refused") {
  NodeRegistry registry;
  nodes::register_json(registry);
  const NodeDescriptor* node = registry.find(NodeRole::Parse, "json");
  REQUIRE(node != nullptr);
  StageCall call;
  call.schema = {.name = "S", .columns = {column("x", ScalarType::I64, false, 0, "a..b")}};
  REQUIRE_FALSE(node->infer(call).has_value());
  call.schema.columns[0].origin = "a.b";
  REQUIRE(node->infer(call).has_value());
}
