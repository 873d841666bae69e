#include "runtime/core/batch.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"

using namespace kaspar;

namespace {

RecordBatch make_records(std::size_t count) {
  RecordBatch records;
  records.records.resize(count);
  return records;
}

const std::vector<Column> slots{
    {.name = "x", .type = {.scalar = ScalarType::F32, .width = 3}},
    {.name = "n", .type = {.scalar = ScalarType::I64, .optional = true}},
    {.name = "s", .type = {.scalar = ScalarType::String}},
};

}  // namespace

TEST_CASE("columns are aligned, row-major and do not overlap") {
  Batch batch(slots, 5);
  const RecordBatch records = make_records(5);
  batch.reset(records);
  for (Slot slot = 0; slot < slots.size(); ++slot) {
    CHECK(reinterpret_cast<std::uintptr_t>(batch.column(slot).data) % 64 == 0);
  }
  for (std::size_t row = 0; row < 5; ++row) {
    for (std::size_t i = 0; i < 3; ++i) {
      batch.column(0).row<float>(row)[i] = static_cast<float>(row * 3 + i);
    }
    *batch.column(1).row<std::int64_t>(row) = -1;
    batch.column(1).valid[row] = row % 2;
    *batch.column(2).row<std::string_view>(row) = "text";
  }
  for (std::size_t i = 0; i < 15; ++i) CHECK(batch.column(0).values<float>()[i] == float(i));
  CHECK(batch.column(1).is_null(0));
  CHECK_FALSE(batch.column(1).is_null(1));
  CHECK_FALSE(batch.column(0).is_null(0));
  CHECK(Batch::column_bytes(slots, 5) % 64 == 0);
}

TEST_CASE("a failed row leaves at the end of the stage, with its first reason") {
  Batch batch(slots, 4);
  const RecordBatch records = make_records(4);
  batch.reset(records);
  CHECK(batch.dense());
  batch.begin_stage(2);
  batch.fail(1, DiagnosticCode::K0902, "first");
  batch.fail(1, DiagnosticCode::K0905, "second");
  batch.discard(3);
  CHECK(batch.alive().size() == 4);
  batch.end_stage();
  CHECK(std::vector<Row>(batch.alive().begin(), batch.alive().end()) == std::vector<Row>{0, 2});
  REQUIRE(batch.errors().size() == 1);
  CHECK(batch.errors()[0].row == 1);
  CHECK(batch.errors()[0].stage == 2);
  CHECK(batch.errors()[0].code == DiagnosticCode::K0902);
  CHECK(batch.errors()[0].message == "first");

  const RecordBatch fewer = make_records(2);
  batch.reset(fewer);
  CHECK(batch.dense());
  CHECK(batch.rows() == 2);
  CHECK(batch.errors().empty());
}

TEST_CASE("text of a batch stays where it is until the batch is reused") {
  TextArena arena;
  std::vector<std::string_view> views;
  std::vector<std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back("value " + std::to_string(i));
    views.push_back(arena.copy(expected.back()));
  }
  expected.emplace_back(300'000, 'x');
  views.push_back(arena.copy(expected.back()));
  expected.emplace_back("after a large one");
  views.push_back(arena.copy(expected.back()));
  for (std::size_t i = 0; i < views.size(); ++i) REQUIRE(views[i] == expected[i]);
  arena.clear();
  CHECK(arena.copy("again") == "again");
}
