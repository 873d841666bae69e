#include "runtime/engine/detached_flight.hpp"

#include <cstdint>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::engine;

namespace {

struct Headers final : RecordStorage {
  void release() noexcept override {}
  void headers(std::size_t row, std::vector<Header>& out) const override {
    for (std::size_t i = 0; i < row; ++i) {
      out.push_back({.name = "name", .value = texts[i], .has_value = i != 1});
    }
  }
  std::vector<std::string> texts{"first", "second", "third"};
};

const std::vector<Column> parent_slots{
    {.name = "gone", .type = {.scalar = ScalarType::F64}},
    {.name = "s", .type = {.scalar = ScalarType::String, .optional = true}},
    {.name = "x", .type = {.scalar = ScalarType::F32, .width = 3}},
    {.name = "b", .type = {.scalar = ScalarType::Bool}},
};

}  // namespace

TEST_CASE("a detached flight keeps what it copied when the original is gone") {
  ChainPlan head{.inputs = {{.columns = {{.from = 2, .to = 0}, {.from = 1, .to = 1}, {3, 2}}}},
                 .slots = {parent_slots[2], parent_slots[1], parent_slots[3], parent_slots[0]},
                 .inherited = 3};
  const std::vector<const ChainPlan*> heads{&head};
  DetachedFlight flight(heads, 8);
  {
    std::string texts[] = {"key", "value of a record", "text of a column"};
    Batch batch(parent_slots, 4);
    RecordBatch records{.endpoint = 2, .storage = std::make_unique<Headers>()};
    for (std::int64_t i = 0; i < 4; ++i) {
      records.records.push_back({.key = texts[0],
                                 .value = texts[1],
                                 .timestamp = 10 * i,
                                 .offset = i,
                                 .span = static_cast<std::uint32_t>(i % 2),
                                 .has_key = i == 3});
    }
    records.spans = {{.topic = "t", .partition = 4}, {.topic = "t", .partition = 5}};
    records.header = "x,y";
    batch.reset(records);
    for (std::size_t row = 0; row < 4; ++row) {
      batch.column(1).valid[row] = row == 3 ? 1 : 0;
      // A null has no text: what stands there may point anywhere.
      *batch.column(1).row<std::string_view>(row) =
          row == 3 ? std::string_view{texts[2]}
                   : std::string_view{reinterpret_cast<const char*>(1), 1'000'000};
      for (std::size_t i = 0; i < 3; ++i) {
        batch.column(2).row<float>(row)[i] = static_cast<float>(row * 10 + i);
      }
      *batch.column(3).row<bool>(row) = row == 3;
    }
    CHECK(flight.takes(records));
    CHECK(flight.text_bytes(0, records, 1, &batch, head.inputs[0]) ==
          texts[0].size() + texts[1].size() + sizeof(Header) + 4 + 5);
    flight.append(0, records, 1, &batch, head.inputs[0]);
    flight.append(0, records, 3, &batch, head.inputs[0]);
    CHECK(flight.takes(records));
    records.endpoint = 1;
    CHECK_FALSE(flight.takes(records));
    for (std::string& text : texts) text.assign(text.size(), '#');
  }
  REQUIRE(flight.records.records.size() == 2);
  CHECK(flight.rows(0).size() == 2);
  const Record& record = flight.records.records[1];
  CHECK(record.key == "key");
  CHECK(record.value == "value of a record");
  CHECK(record.has_key);
  CHECK(record.timestamp == 30);
  CHECK(record.offset == 3);
  CHECK(flight.records.spans[record.span].partition == 5);
  CHECK(flight.records.spans.size() == 1);
  CHECK(flight.records.header == "x,y");
  std::vector<Header> headers;
  flight.records.storage->headers(1, headers);
  REQUIRE(headers.size() == 3);
  CHECK(headers[2].value == "third");
  CHECK_FALSE(headers[1].has_value);
  headers.clear();
  flight.records.storage->headers(0, headers);
  CHECK(headers.size() == 1);
  CHECK(flight.column(0, 0).row<float>(1)[2] == 32.0F);
  CHECK(flight.column(0, 1).is_null(0));
  CHECK_FALSE(flight.column(0, 1).is_null(1));
  CHECK(*flight.column(0, 1).row<std::string_view>(1) == "text of a column");
  CHECK_FALSE(*flight.column(0, 2).row<bool>(0));
  CHECK(*flight.column(0, 2).row<bool>(1));
}

TEST_CASE("a detached flight takes as many rows as it has room for, and is reused") {
  const ChainPlan head;
  const std::vector<const ChainPlan*> heads{&head, &head};
  DetachedFlight flight(heads, 2);
  RecordBatch records;
  records.records = {{.value = "a"}, {.value = "b"}};
  const ChainInput input{.source = 0};
  for (int round = 0; round < 3; ++round) {
    flight.append(0, records, 0, nullptr, input);
    CHECK(flight.takes(records));
    flight.append(1, records, 1, nullptr, input);
    CHECK_FALSE(flight.takes(records));
    CHECK(flight.rows(0).size() == 1);
    CHECK(flight.rows(1).front() == 1);
    CHECK(flight.records.records[1].value == "b");
    flight.clear();
  }
}
