#include <cmath>
#include <string>
#include <vector>

#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_output(NodeRegistry& registry);
}

using namespace kaspar;

namespace {

const NodeDescriptor& node_to() {
  static const NodeRegistry registry = [] {
    NodeRegistry filled;
    nodes::register_output(filled);
    return filled;
  }();
  return *registry.find(NodeRole::Stage, "to");
}

struct OneHeader final : RecordStorage {
  void release() noexcept override {}
  void headers(std::size_t, std::vector<Header>& headers) const override {
    headers.push_back({.name = "trace", .value = "t1"});
    headers.push_back({.name = "old", .value = "o1"});
  }
};

const std::vector<Column> slots{
    {.name = "x", .type = {.scalar = ScalarType::F32, .width = 2}},
    {.name = "y.out", .type = {.scalar = ScalarType::F64}},
    {.name = "n", .type = {.scalar = ScalarType::I64, .optional = true}},
    {.name = "y.label", .type = {.scalar = ScalarType::String}},
    {.name = "raw", .type = {.scalar = ScalarType::Bytes}},
    {.name = "t", .type = {.scalar = ScalarType::Timestamp}},
    {.name = "d", .type = {.scalar = ScalarType::Duration}},
    {.name = "b", .type = {.scalar = ScalarType::Bool}},
};

struct Fixture {
  Fixture() : batch(slots, 3) {
    records.storage = std::make_unique<OneHeader>();
    records.spans = {{.topic = "in", .partition = 2}};
    records.records = {{.key = "k0",
                        .value = "v0",
                        .timestamp = 5,
                        .offset = 10,
                        .has_key = true,
                        .has_value = true},
                       {.key = "", .value = "", .timestamp = 6, .offset = 11},
                       {.key = "k2",
                        .value = "v2",
                        .timestamp = 7,
                        .offset = 12,
                        .has_key = true,
                        .has_value = true}};
    batch.reset(records);
    for (std::size_t r = 0; r < 3; ++r) {
      batch.column(0).row<float>(r)[0] = 0.1F;
      batch.column(0).row<float>(r)[1] = 1e10F;
      *batch.column(1).row<double>(r) = 0.1;
      *batch.column(2).row<std::int64_t>(r) = -3;
      batch.column(2).valid[r] = r == 0;
      *batch.column(3).row<std::string_view>(r) = label;
      *batch.column(4).row<std::string_view>(r) = r == 0 ? "ok" : "\xFF\xFE";
      *batch.column(5).row<std::int64_t>(r) = 1234567890123;
      *batch.column(6).row<std::int64_t>(r) = 90'000;
      *batch.column(7).row<bool>(r) = true;
    }
    call.input.columns = slots;
    for (Slot slot = 0; slot < slots.size(); ++slot) call.input_slots.push_back(slot);
  }

  static Expression column(Slot slot) {
    return {.kind = Expression::Kind::Column,
            .type = slots[slot].type,
            .slot = slot,
            .text = slots[slot].name};
  }
  static Expression meta(MetaField field, Type type, std::string header = {}) {
    return {
        .kind = Expression::Kind::Meta, .type = type, .meta = field, .header = std::move(header)};
  }
  void operand(std::string role, Expression expression) {
    call.operands.push_back({std::move(role), std::move(expression)});
  }
  void word(const char* name, const char* text) { call.params[name] = Value{Word{text}}; }

  const std::vector<OutputRecord>& run() {
    REQUIRE(node_to().infer(call).has_value());
    op = node_to().make_operator({call, {}, nullptr});
    const auto state = op->make_state();
    op->process(batch, state.get());
    batch.end_stage();
    return batch.outputs();
  }

  std::string label = "say \"hi\",\n\tyou";
  RecordBatch records;
  Batch batch;
  StageCall call;
  std::unique_ptr<Operator> op;
};

const Type bytes{.scalar = ScalarType::Bytes, .optional = true};

}  // namespace

TEST_CASE("without options all columns are written as JSON under the record's key") {
  Fixture f;
  const auto& outputs = f.run();
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].value ==
        "{\"x\":[0.1,1e+10],\"y\":{\"out\":0.1,\"label\":\"say \\\"hi\\\",\\n\\tyou\"},\"n\":-3,"
        "\"raw\":\"ok\",\"t\":\"2009-02-13T23:31:30.123Z\",\"d\":\"90s\",\"b\":true}");
  CHECK(outputs[0].key == "k0");
  CHECK(outputs[0].has_key);
  CHECK(outputs[0].timestamp == -1);
  CHECK(outputs[0].headers.empty());
  CHECK_FALSE(outputs[1].has_key);
  CHECK(outputs[1].value.find("\"n\":null,\"raw\":\"base64://4=\"") != std::string_view::npos);
  CHECK(outputs[2].row == 2);
}

TEST_CASE("an object's first field may also come last") {
  Fixture f;
  f.call.input.columns = {slots[2], slots[1]};
  f.call.input_slots = {2, 1};
  CHECK(f.run()[0].value == "{\"n\":-3,\"y\":{\"out\":0.1}}");
}

TEST_CASE("CSV spreads vectors, quotes on need and leaves null empty") {
  Fixture f;
  f.word("format", "csv");
  const auto& outputs = f.run();
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].value ==
        "0.1,1e+10,0.1,\"say \"\"hi\"\",\n\tyou\",-3,ok,2009-02-13T23:31:30.123Z,90s,true");
  CHECK(outputs[1].value.find("you\",,base64://4=,") != std::string_view::npos);
}

TEST_CASE("text of a column is passed on without a copy") {
  Fixture f;
  f.operand("value", Fixture::column(3));
  const auto& outputs = f.run();
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].value.data() == f.label.data());
  CHECK(outputs[0].value == f.label);
}

TEST_CASE("null makes a tombstone as text, and a record without a key") {
  Fixture f;
  f.operand("value", Fixture::column(2));
  f.operand("key", Fixture::column(2));
  const auto& outputs = f.run();
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].value == "-3");
  CHECK(outputs[0].key == "-3");
  CHECK_FALSE(outputs[1].has_value);
  CHECK_FALSE(outputs[1].has_key);
}

TEST_CASE("meta fields, headers and the source's timestamp") {
  Fixture f;
  f.operand("value", Fixture::meta(MetaField::Value, bytes));
  f.operand("key", Fixture::meta(MetaField::Topic, {.scalar = ScalarType::String}));
  f.operand("headers.offset", Fixture::meta(MetaField::Offset, {.scalar = ScalarType::I64}));
  f.operand("headers.old", Fixture::meta(MetaField::Header, bytes, "trace"));
  f.operand("headers.none", Fixture::meta(MetaField::Header, bytes, "absent"));
  f.call.params["pass_headers"] = Value{true};
  f.word("timestamp", "source");
  const auto& outputs = f.run();
  REQUIRE(outputs.size() == 3);
  CHECK(outputs[0].value == "v0");
  CHECK_FALSE(outputs[1].has_value);
  CHECK(outputs[0].key == "in");
  CHECK(outputs[2].timestamp == 7);
  REQUIRE(outputs[2].headers.size() == 4);
  CHECK(outputs[2].headers[0].name == "trace");
  CHECK(outputs[2].headers[0].value == "t1");
  CHECK(outputs[2].headers[1].name == "offset");
  CHECK(outputs[2].headers[1].value == "12");
  CHECK(outputs[2].headers[2].name == "old");
  CHECK(outputs[2].headers[2].value == "t1");
  CHECK_FALSE(outputs[2].headers[3].has_value);
}

TEST_CASE("a number that is not finite fails its row") {
  for (const char* format : {"json", "csv", "text"}) {
    Fixture f;
    f.operand("value", Fixture::column(1));
    f.word("format", format);
    *f.batch.column(1).row<double>(1) = INFINITY;
    const auto& outputs = f.run();
    REQUIRE(outputs.size() == 2);
    CHECK(outputs[1].row == 2);
    REQUIRE(f.batch.errors().size() == 1);
    CHECK(name_of(f.batch.errors()[0].code) == "K0904");
    CHECK(f.batch.errors()[0].message == "`y.out` is not finite");
  }
}

TEST_CASE("`format: text` needs a scalar") {
  Fixture f;
  f.word("format", "text");
  CHECK_FALSE(node_to().infer(f.call).has_value());
  f.operand("value", Fixture::column(0));
  CHECK_FALSE(node_to().infer(f.call).has_value());
  f.call.params.clear();
  CHECK(f.run()[0].value == "[0.1,1e+10]");
}

TEST_CASE("a record without the timestamp that is to be written fails its row") {
  const Type type{.scalar = ScalarType::Timestamp};
  for (const char* role : {"value", "key", "headers.at"}) {
    Fixture f;
    f.records.records[1].timestamp = -1;
    f.batch.reset(f.records);
    f.operand(role, Fixture::meta(MetaField::Timestamp, type));
    if (f.call.operands[0].role != "value")
      f.operand("value", Fixture::meta(MetaField::Key, bytes));
    CHECK(node_to().infer(f.call)->fallible);
    const auto& outputs = f.run();
    REQUIRE(outputs.size() == 2);
    CHECK(outputs[1].row == 2);
    REQUIRE(f.batch.errors().size() == 1);
    CHECK(name_of(f.batch.errors()[0].code) == "K0905");
  }
}

TEST_CASE("to is fallible where a float is written") {
  Fixture f;
  CHECK(node_to().infer(f.call)->fallible);
  f.operand("value", Fixture::column(3));
  CHECK_FALSE(node_to().infer(f.call)->fallible);
  f.operand("headers.out", Fixture::column(1));
  CHECK(node_to().infer(f.call)->fallible);
}
