#include "nodes/csv/csv_parser.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_csv(NodeRegistry& registry);
}

using namespace kaspar;
using namespace kaspar::nodes::csv;

namespace {

Type type(ScalarType scalar, std::uint32_t width = 0, bool optional = false) {
  return {.scalar = scalar, .width = width, .optional = optional};
}

/// A parsed batch with everything that it views.
struct Parsed {
  Parsed(const Schema& schema, std::vector<std::string> rows, char delimiter = ',',
         const NumberKernels* kernels = &number_kernels())
      : values(std::move(rows)), batch(schema.columns, values.size()) {
    for (const std::string& value : values) {
      // Heap copies without a terminator: a read past the end is seen by the sanitizer.
      exact.push_back(std::make_unique<char[]>(value.size()));
      std::memcpy(exact.back().get(), value.data(), value.size());
      records.records.push_back({.value = {exact.back().get(), value.size()}, .has_value = true});
    }
    run(schema, delimiter, kernels);
  }

  void run(const Schema& schema, char delimiter, const NumberKernels* kernels) {
    std::vector<Slot> writes(schema.columns.size());
    std::iota(writes.begin(), writes.end(), Slot{0});
    const CsvParser parser(schema, writes, delimiter, kernels);
    batch.reset(records);
    batch.begin_stage(0);
    parser.process(batch, parser.make_state().get());
    batch.end_stage();
  }

  [[nodiscard]] std::string code(std::size_t row) const {
    for (const RowError& error : batch.errors()) {
      if (error.row == row) return std::string{name_of(error.code)};
    }
    return "";
  }
  [[nodiscard]] std::string message(std::size_t row) const {
    for (const RowError& error : batch.errors()) {
      if (error.row == row) return error.message;
    }
    return "";
  }

  std::vector<std::string> values;
  std::vector<std::unique_ptr<char[]>> exact;
  RecordBatch records;
  Batch batch;
};

std::string code_of(const Schema& schema, const std::string& row) {
  const Parsed fast(schema, {row});
  const Parsed plain(schema, {row}, ',', nullptr);
  CHECK(fast.code(0) == plain.code(0));
  CHECK(fast.message(0) == plain.message(0));
  return fast.code(0);
}

const Schema three{.name = "Three", .columns = {{.name = "x", .type = type(ScalarType::F32, 3)}}};

}  // namespace

TEST_CASE("a vector takes consecutive fields") {
  const Parsed parsed(three, {"1,2.5,-3e2", "\"4\", 5 ,\t6\r\n", "nan,inf,-0\n"});
  REQUIRE(parsed.batch.errors().empty());
  const float* x = parsed.batch.column(0).values<float>();
  CHECK(std::vector<float>(x, x + 6) == std::vector<float>{1, 2.5F, -300, 4, 5, 6});
  CHECK(std::isnan(x[6]));
  CHECK(std::isinf(x[7]));
  CHECK(std::signbit(x[8]));
}

TEST_CASE("broken rows fail with their code") {
  CHECK(code_of(three, "1,2") == "K0901");
  CHECK(code_of(three, "1,2,3,4") == "K0901");
  CHECK(code_of(three, "1,2,3,") == "K0901");
  CHECK(code_of(three, "") == "K0901");
  CHECK(code_of(three, "\r\n") == "K0901");
  CHECK(code_of(three, "a,b") == "K0901");
  CHECK(code_of(three, std::string(1'000'000, '7')) == "K0901");
  CHECK(code_of(three, "1,abc,3") == "K0902");
  CHECK(code_of(three, "1,1e40,3") == "K0902");
  CHECK(code_of(three, "1,2 3,3") == "K0902");
  CHECK(code_of(three, "1,,3") == "K0905");
  CHECK(code_of(three, "1, ,3") == "K0905");
  CHECK(code_of(three, "1,\"\",3") == "K0905");
  CHECK(code_of(three, "1,2,") == "K0905");
  CHECK(code_of(three, "1,\"2,3") == "K0903");
  CHECK(code_of(three, "1,\"2\"x,3") == "K0903");
  CHECK(code_of(three, "1,2\",3") == "K0903");
  CHECK(code_of(three, "\"1,2") == "K0903");
  CHECK(code_of(three, "\"") == "K0903");
  CHECK(code_of(three, "1,2,3\n4,5,6") == "K0903");
  CHECK(code_of(three, "1,2,3") == "");
}

TEST_CASE("messages tell the field and what stands there") {
  CHECK(Parsed(three, {"1,2"}).message(0) == "the row has 2 fields, the schema `Three` takes 3");
  CHECK(Parsed(three, {"1,abc,3"}).message(0) == "field 2 (`x[1]`) is no `f32`: `abc`");
  CHECK(Parsed(three, {"1,2,1e99"}).message(0) ==
        "field 3 (`x[2]`) is out of the range of `f32`: `1e99`");
  CHECK(Parsed(three, {"1,,3"}).message(0) == "field 2 (`x[1]`) is empty");
  CHECK(Parsed(three, {"1,\"2,3"}).message(0) == "field 2 begins with a quote that never ends");
  CHECK(Parsed(three, {"1,\x01\xFF,3"}).message(0) == "field 2 (`x[1]`) is no `f32`: `\\x01\\xff`");
  const std::string message = Parsed(three, {"1," + std::string(5'000, 'z') + ",3"}).message(0);
  CHECK(message.size() < 120);
}

TEST_CASE("a record without a value fails, also where all columns are optional") {
  const Schema schema{.name = "S",
                      .columns = {{.name = "n", .type = type(ScalarType::I64, 0, true)}}};
  Parsed parsed(schema, {""});
  CHECK(parsed.code(0) == "");
  CHECK(parsed.batch.column(0).is_null(0));
  parsed.records.records[0] = {};
  parsed.run(schema, ',', &number_kernels());
  CHECK(parsed.code(0) == "K0905");
}

TEST_CASE("all types") {
  const Schema schema{.name = "All",
                      .columns = {{.name = "b", .type = type(ScalarType::Bool)},
                                  {.name = "i", .type = type(ScalarType::I64)},
                                  {.name = "d", .type = type(ScalarType::F64, 2)},
                                  {.name = "s", .type = type(ScalarType::String)},
                                  {.name = "y", .type = type(ScalarType::Bytes, 0, true)},
                                  {.name = "t", .type = type(ScalarType::Timestamp)},
                                  {.name = "u", .type = type(ScalarType::Duration, 0, true)},
                                  {.name = "v", .type = type(ScalarType::F32, 2, true)}}};
  const Parsed parsed(schema, {" true , -5,0.1,1e300, a b ,\xFF,1970-01-01T00:00:01Z,5s,1,2",
                               "false;7", "0,6,1,2,\"say \"\"hi\"\", you\nthere\",,9,,,",
                               "0,6,1,2,\"\",\"\",9,,1,", "0,6,1,2,\xC3,,9,,,", "0,6,1,2,,,9,,,"});
  REQUIRE(parsed.code(0) == "");
  CHECK(*parsed.batch.column(0).row<bool>(0));
  CHECK(*parsed.batch.column(1).row<std::int64_t>(0) == -5);
  CHECK(parsed.batch.column(2).row<double>(0)[0] == 0.1);
  CHECK(parsed.batch.column(2).row<double>(0)[1] == 1e300);
  const std::string_view s = *parsed.batch.column(3).row<std::string_view>(0);
  CHECK(s == " a b ");
  CHECK(s.data() > parsed.exact[0].get());  // a view of the payload, no copy
  CHECK(s.data() < parsed.exact[0].get() + parsed.values[0].size());
  CHECK(*parsed.batch.column(4).row<std::string_view>(0) == "\xFF");
  CHECK_FALSE(parsed.batch.column(4).is_null(0));
  CHECK(*parsed.batch.column(5).row<std::int64_t>(0) == 1'000);
  CHECK(*parsed.batch.column(6).row<std::int64_t>(0) == 5'000);
  CHECK_FALSE(parsed.batch.column(7).is_null(0));
  CHECK(parsed.batch.column(7).row<float>(0)[1] == 2);
  CHECK(parsed.code(1) == "K0901");
  REQUIRE(parsed.code(2) == "");
  CHECK(*parsed.batch.column(3).row<std::string_view>(2) == "say \"hi\", you\nthere");
  CHECK(parsed.batch.column(4).is_null(2));
  CHECK(parsed.batch.column(6).is_null(2));
  CHECK(parsed.batch.column(7).is_null(2));
  CHECK(parsed.code(3) == "K0905");  // half a vector
  CHECK(parsed.code(4) == "K0902");  // broken UTF-8
  CHECK(parsed.code(5) == "K0905");  // a string that is not there
  const Parsed empty(schema, {"0,6,1,2,\"\",,9,,,"});
  REQUIRE(empty.code(0) == "");
  CHECK(empty.batch.column(3).row<std::string_view>(0)->empty());
}

TEST_CASE("another delimiter") {
  const Parsed parsed(three, {"1;2;3", "1,2,3", "\"1\";2;3"}, ';');
  CHECK(parsed.code(0) == "");
  CHECK(parsed.code(1) == "K0901");
  CHECK(parsed.code(2) == "");
}

TEST_CASE("the short cut gives what the plain path gives, bit for bit") {
  const Schema schema{.name = "S",
                      .columns = {{.name = "x", .type = type(ScalarType::F32, 3)},
                                  {.name = "d", .type = type(ScalarType::F64)},
                                  {.name = "i", .type = type(ScalarType::I64, 0, true)},
                                  {.name = "s", .type = type(ScalarType::String)}}};
  const std::vector<std::string> pieces{"0",
                                        "-0",
                                        "1",
                                        "16777216",
                                        "16777217",
                                        "9007199254740993",
                                        "0.1",
                                        "-.5",
                                        "5.",
                                        "1e5",
                                        "1e40",
                                        "1e-50",
                                        "nan",
                                        "-inf",
                                        "",
                                        " ",
                                        " 7 ",
                                        "\t-2.25\t",
                                        "+3",
                                        "abc",
                                        "1.2.3",
                                        "\"8\"",
                                        "\"",
                                        "\"\"",
                                        "18446744073709551616",
                                        "0.00000000001",
                                        "123456789.123456789",
                                        "1\r",
                                        "00000000000000000000001",
                                        "0.30000001192092896",
                                        "99999999999",
                                        "3.4028235e38",
                                        "3.4028236e38",
                                        "\xC3\xA9",
                                        "\xFF",
                                        "-",
                                        "e",
                                        "--1",
                                        "1e",
                                        "\n",
                                        "33554433.0",
                                        "8388608.5",
                                        "8388609.5",
                                        "1.00000017881393432617187499"};
  std::mt19937_64 random{20241123};
  std::vector<std::string> rows;
  for (int i = 0; i < 1'000; ++i) {
    std::string row;
    const std::size_t fields = random() % 10 == 0 ? random() % 9 : 6;
    for (std::size_t f = 0; f < fields; ++f) {
      if (f != 0) row += ',';
      switch (random() % 8) {
        case 0:
          row += pieces[random() % pieces.size()];
          break;
        case 1:
          row += std::to_string(static_cast<std::int64_t>(random() >> (random() % 64)));
          break;
        default: {
          char text[64];
          const double value = static_cast<double>(static_cast<std::int64_t>(random() >> 20)) /
                               static_cast<double>((random() >> (random() % 63)) | 1U);
          const int precision = static_cast<int>(random() % 18);
          const int size =
              f < 4 ? std::snprintf(text, sizeof text, random() % 4 == 0 ? "%.*g" : "%.*f",
                                    precision, value)
                    : std::snprintf(text, sizeof text, "%d", precision);
          row.append(text, static_cast<std::size_t>(size));
        }
      }
    }
    if (random() % 8 == 0) row += random() % 2 == 0 ? "\r\n" : "\n";
    rows.push_back(row);
  }
  const Parsed fast(schema, rows);
  const Parsed plain(schema, rows, ',', nullptr);
  std::size_t good = 0;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    INFO(rows[row]);
    REQUIRE(fast.code(row) == plain.code(row));
    REQUIRE(fast.message(row) == plain.message(row));
    if (!fast.code(row).empty()) continue;
    ++good;
    REQUIRE(std::memcmp(fast.batch.column(0).row<float>(row), plain.batch.column(0).row<float>(row),
                        3 * sizeof(float)) == 0);
    REQUIRE(std::memcmp(fast.batch.column(1).row<double>(row),
                        plain.batch.column(1).row<double>(row), sizeof(double)) == 0);
    REQUIRE(fast.batch.column(2).is_null(row) == plain.batch.column(2).is_null(row));
    REQUIRE(*fast.batch.column(2).row<std::int64_t>(row) ==
            *plain.batch.column(2).row<std::int64_t>(row));
    REQUIRE(*fast.batch.column(3).row<std::string_view>(row) ==
            *plain.batch.column(3).row<std::string_view>(row));
  }
  CHECK(good > 200);
  CHECK(good < 900);
}

TEST_CASE("the descriptor of `parse csv`") {
  NodeRegistry registry;
  nodes::register_csv(registry);
  const NodeDescriptor* node = registry.find(NodeRole::Parse, "csv");
  REQUIRE(node != nullptr);
  StageCall call{.schema = three};
  const auto inferred = node->infer(call);
  REQUIRE(inferred.has_value());
  CHECK(inferred->columns == three.columns);
  CHECK(inferred->replaces_all);
  CHECK(inferred->fallible);
  for (const char* bad : {"", ";;", "\"", "\n", "é", "5"}) {
    call.params["delimiter"] = Value{std::string{bad}};
    const auto refused = node->infer(call);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().place.part == IssuePlace::Part::Param);
    CHECK(refused.error().place.name == "delimiter");
  }
  call.params["delimiter"] = Value{std::string{"\t"}};
  CHECK(node->infer(call).has_value());
  call.schema.columns[0].origin = "t0";
  const auto refused = node->infer(call);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().place.part == IssuePlace::Part::Schema);
}
