#include "nodes/csv/named_csv_parser.hpp"

#include <numeric>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"

using namespace kaspar;
using nodes::csv::NamedCsvParser;

namespace {

struct NamedRows {
  NamedRows(const std::string& header_line, const std::vector<std::string>& rows,
            char delimiter = ',')
      : header(header_line), texts(rows), batch(schema().columns, rows.size()) {
    records.header = header;
    for (const std::string& text : texts)
      records.records.push_back({.value = text, .has_value = true});
    std::vector<Slot> writes(schema().columns.size());
    std::iota(writes.begin(), writes.end(), Slot{0});
    const NamedCsvParser parser(schema(), writes, delimiter);
    const auto state = parser.make_state();
    for (int again = 0; again < 2; ++again) {  // the header is known the second time
      batch.reset(records);
      batch.begin_stage(0);
      parser.process(batch, state.get());
      batch.end_stage();
    }
  }

  static const Schema& schema() {
    static const Schema made{
        .name = "S",
        .columns = {
            {.name = "v", .type = {.scalar = ScalarType::F32, .width = 3}, .origin = "t09"},
            {.name = "id", .type = {.scalar = ScalarType::String}, .origin = "the id"},
            {.name = "n", .type = {.scalar = ScalarType::I64, .optional = true}, .origin = "n"}}};
    return made;
  }

  std::string error() {
    if (batch.errors().empty()) return {};
    return std::string{name_of(batch.errors()[0].code)} + ": " + batch.errors()[0].message;
  }

  std::string header;
  std::vector<std::string> texts;
  RecordBatch records;
  Batch batch;
};

}  // namespace

TEST_CASE("fields are found by the names of the header") {
  NamedRows parsed("n,t11,other,\"the id\",t09,t10,n\r", {"5,3,x,\"a,b\",1,2,6\r", ",3,x,,1,2,"});
  REQUIRE(parsed.error() == "K0905: field 4 (`id`) is empty");
  REQUIRE(parsed.batch.alive().size() == 1);
  const float* v = parsed.batch.column(0).row<float>(0);
  CHECK(v[0] == 1.0F);
  CHECK(v[1] == 2.0F);
  CHECK(v[2] == 3.0F);
  CHECK(*parsed.batch.column(1).row<std::string_view>(0) == "a,b");
  CHECK(*parsed.batch.column(2).row<std::int64_t>(0) == 5);
}

TEST_CASE("what the header does not have, no row has") {
  CHECK(NamedRows("t09,t10,t11,n", {"1,2,3,4"}).error() ==
        "K0901: the header has no column `the id`");
  CHECK(NamedRows("", {"1"}).error() == "K0901: the header has no column `t09`");
  CHECK(NamedRows("\"t09,t10", {"1,2"}).error() ==
        "K0901: the quotes of field 1 of the header are broken");
}

TEST_CASE("rows have as many fields as the header") {
  const std::string header = "t09;t10;t11;the id;n";
  CHECK(NamedRows(header, {"1;2;3;a"}, ';').error() == "K0901: the row has 4 fields, the header 5");
  CHECK(NamedRows(header, {"1;2;3;a;4;5"}, ';').error() ==
        "K0901: the row has 6 fields, the header 5");
  CHECK(NamedRows(header, {"1;2;x;a;4"}, ';').error() ==
        "K0902: field 3 (`v[2]`) is no `f32`: `x`");
  CHECK(NamedRows(header, {"1;2;3;\"a;4"}, ';').error() ==
        "K0903: field 4 begins with a quote that never ends");
  CHECK(NamedRows(header, {"1;2;3;a;"}, ';').error().empty());
}
