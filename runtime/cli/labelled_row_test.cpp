#include "runtime/cli/labelled_row.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::cli {

TEST_CASE("the last column is the label, the rest the record as it stands") {
  const auto row = split_label("1.5, 2,\"a,b\",Upward Shift\r");
  REQUIRE(row);
  CHECK(row->record == "1.5, 2,\"a,b\"");
  CHECK(row->label == "Upward Shift");
}

TEST_CASE("a quoted label may hold commas and quotes") {
  const auto row = split_label("1,2,\"up, or \"\"down\"\"\"");
  REQUIRE(row);
  CHECK(row->record == "1,2");
  CHECK(row->label == "up, or \"down\"");
}

TEST_CASE("a record with an open quote keeps it, and has its label") {
  const auto row = split_label("1,\"2,Normal");
  REQUIRE(row);
  CHECK(row->record == "1,\"2");
  CHECK(row->label == "Normal");
}

TEST_CASE("a line without a label is none") {
  CHECK_FALSE(split_label(""));
  CHECK_FALSE(split_label("Normal"));
  CHECK_FALSE(split_label("1,2,"));
  CHECK_FALSE(split_label("\"a,b\""));
}

}  // namespace kaspar::cli
