#include "runtime/core/column_text.hpp"

#include <cmath>
#include <string>

#include "runtime/core/batch.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;

TEST_CASE("values of every type read as JSON") {
  const std::vector<Column> slots{
      {.name = "b", .type = {.scalar = ScalarType::Bool}},
      {.name = "f", .type = {.scalar = ScalarType::F32, .width = 3}},
      {.name = "s", .type = {.scalar = ScalarType::Bytes}},
      {.name = "t", .type = {.scalar = ScalarType::Timestamp}},
      {.name = "d", .type = {.scalar = ScalarType::Duration}},
      {.name = "i", .type = {.scalar = ScalarType::I64, .optional = true}}};
  Batch batch(slots, 2);
  RecordBatch records;
  records.records.resize(2);
  batch.reset(records);
  *batch.column(0).row<bool>(1) = true;
  float* vector = batch.column(1).row<float>(1);
  vector[0] = 0.1F;
  vector[1] = std::nanf("");
  vector[2] = -INFINITY;
  *batch.column(2).row<std::string_view>(1) = "\xff\"";
  *batch.column(3).row<std::int64_t>(1) = 1'234'567'890'123;
  *batch.column(4).row<std::int64_t>(1) = 90'000;
  batch.column(5).valid[0] = 0;
  batch.column(5).valid[1] = 1;
  *batch.column(5).row<std::int64_t>(1) = -7;
  std::string text;
  for (Slot slot = 0; slot < 6; ++slot) {
    append_column_json(text, batch.column(slot), 1);
    text += ' ';
  }
  append_column_json(text, batch.column(5), 0);
  CHECK(text ==
        "true [0.1,\"nan\",\"-inf\"] \"base64:/yI=\" \"2009-02-13T23:31:30.123Z\" \"90s\" -7 null");
}
