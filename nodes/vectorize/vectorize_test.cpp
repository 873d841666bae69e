#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/core/node_descriptor.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_vectorize(NodeRegistry& registry);
}

using namespace kaspar;

namespace {

struct TemporaryFile {
  explicit TemporaryFile(std::string_view text)
      : path((std::filesystem::temp_directory_path() /
              ("kaspar-scaler-" + std::to_string(::getpid()) + ".toml"))
                 .string()) {
    std::ofstream(path) << text;
  }
  ~TemporaryFile() { std::filesystem::remove(path); }
  std::string path;
};

const NodeDescriptor& node(std::string_view name) {
  static const NodeRegistry registry = [] {
    NodeRegistry filled;
    nodes::register_vectorize(filled);
    return filled;
  }();
  return *registry.find(NodeRole::Stage, name);
}

Operand column(Slot slot, std::string name, Type type) {
  return {
      .expression = {
          .kind = Expression::Kind::Column, .type = type, .slot = slot, .text = std::move(name)}};
}

StageCall standardize(Type type, const std::string& file) {
  return {.operands = {column(0, "x", type)}, .file = file};
}

const Type f32x3{.scalar = ScalarType::F32, .width = 3};

void check_refused(const StageCall& call, std::string_view stage, DiagnosticCode code,
                   IssuePlace::Part part) {
  const auto inferred = node(stage).infer(call);
  REQUIRE_FALSE(inferred.has_value());
  INFO(inferred.error().message);
  CHECK(name_of(inferred.error().code) == name_of(code));
  CHECK(inferred.error().place.part == part);
}

}  // namespace

TEST_CASE("standardize computes (x - mean) / std in the column's type") {
  const TemporaryFile file("mean = [1, 2.5, 0.1]\nstd = 3\n");
  const StageCall call = standardize(f32x3, file.path);
  const auto inferred = node("standardize").infer(call);
  REQUIRE(inferred.has_value());
  CHECK(inferred->fallible);
  REQUIRE(inferred->columns.size() == 1);
  CHECK(inferred->columns[0] == Column{.name = "x", .type = f32x3});
  const std::vector<Slot> writes{1};
  const auto op = node("standardize").make_operator({call, writes, inferred->resource});
  RecordBatch records;
  records.records.resize(4);
  Batch batch(std::vector<Column>{{.name = "x", .type = f32x3}, {.name = "x", .type = f32x3}}, 4);
  batch.reset(records);
  const float values[4][3] = {{1, 2, 0.1F}, {7, NAN, 0}, {1e5F, -1e-5F, 3.3F}, {0, 0, INFINITY}};
  for (std::size_t r = 0; r < 4; ++r) std::copy_n(values[r], 3, batch.column(0).row<float>(r));
  op->process(batch, nullptr);
  batch.end_stage();
  const float mean[3] = {1, 2.5F, 0.1F};
  for (const std::size_t r : {std::size_t{0}, std::size_t{2}}) {
    for (std::size_t i = 0; i < 3; ++i) {
      CHECK(batch.column(1).row<float>(r)[i] == (values[r][i] - mean[i]) / 3.0F);
      CHECK(batch.column(0).row<float>(r)[i] == values[r][i]);
    }
  }
  REQUIRE(batch.errors().size() == 2);
  CHECK(batch.errors()[0].row == 1);
  CHECK(name_of(batch.errors()[0].code) == "K0904");
  CHECK(batch.errors()[0].message == "`x[1]` is not finite: nan");
  CHECK(batch.errors()[1].message == "`x[2]` is not finite: inf");
}

TEST_CASE("standardize takes a scalar of f64") {
  const TemporaryFile file("mean = 0.1\nstd = 0.3\n");
  const Type f64{.scalar = ScalarType::F64};
  const StageCall call = standardize(f64, file.path);
  const auto inferred = node("standardize").infer(call);
  REQUIRE(inferred.has_value());
  const std::vector<Slot> writes{0};
  const auto op = node("standardize").make_operator({call, writes, inferred->resource});
  RecordBatch records;
  records.records.resize(1);
  Batch batch(std::vector<Column>{{.name = "x", .type = f64}}, 1);
  batch.reset(records);
  *batch.column(0).row<double>(0) = 7.7;
  op->process(batch, nullptr);
  CHECK(*batch.column(0).row<double>(0) == (7.7 - 0.1) / 0.3);
}

TEST_CASE("a scaler that does not fit is refused at its path") {
  using enum DiagnosticCode;
  check_refused(standardize(f32x3, "/nowhere/scaler.toml"), "standardize", K0405,
                IssuePlace::Part::File);
  check_refused(standardize(f32x3, "/"), "standardize", K0405, IssuePlace::Part::File);
  for (const char* text :
       {"", "mean = 1", "std = 1", "mean = 1\nstd = 0", "mean = 1\nstd = -1", "mean = nan\nstd = 1",
        "mean = 1\nstd = inf", "mean = \"1\"\nstd = 1", "mean = [1, 2, true]\nstd = 1",
        "mean = [1,", "mean = 1\nstd = 1e-60", "mean = 1e60\nstd = 1"}) {
    INFO(text);
    const TemporaryFile file(text);
    check_refused(standardize(f32x3, file.path), "standardize", K0405, IssuePlace::Part::File);
  }
  const TemporaryFile two("mean = [1, 2]\nstd = 1\n");
  check_refused(standardize(f32x3, two.path), "standardize", K0403, IssuePlace::Part::File);
  check_refused(standardize({.scalar = ScalarType::F32}, two.path), "standardize", K0403,
                IssuePlace::Part::File);
}

TEST_CASE("standardize refuses operands of other types") {
  using enum DiagnosticCode;
  const TemporaryFile file("mean = 1\nstd = 1\n");
  for (const ScalarType scalar : {ScalarType::I64, ScalarType::String, ScalarType::Bool}) {
    check_refused(standardize({.scalar = scalar}, file.path), "standardize", K0302,
                  IssuePlace::Part::Operand);
  }
  check_refused(standardize({.scalar = ScalarType::F32, .optional = true}, file.path),
                "standardize", K0301, IssuePlace::Part::Operand);
}

TEST_CASE("vector concatenates and converts") {
  const std::vector<Column> slots{{.name = "b", .type = {.scalar = ScalarType::Bool}},
                                  {.name = "i", .type = {.scalar = ScalarType::I64}},
                                  {.name = "x", .type = f32x3},
                                  {.name = "d", .type = {.scalar = ScalarType::F64}},
                                  {.name = "v", .type = {.scalar = ScalarType::F32, .width = 7}}};
  StageCall call{.name = "v"};
  for (Slot slot = 0; slot < 4; ++slot) {
    call.operands.push_back(column(slot, slots[slot].name, slots[slot].type));
  }
  call.operands.push_back({.expression = {.kind = Expression::Kind::Literal,
                                          .type = {.scalar = ScalarType::F64},
                                          .literal = Value{0.5},
                                          .text = "0.5"}});
  const auto inferred = node("vector").infer(call);
  REQUIRE(inferred.has_value());
  REQUIRE(inferred->columns.size() == 1);
  CHECK(inferred->columns[0] == slots[4]);
  CHECK(inferred->fallible);
  const std::vector<Slot> writes{4};
  const auto op = node("vector").make_operator({call, writes, nullptr});
  RecordBatch records;
  records.records.resize(3);
  Batch batch(slots, 3);
  batch.reset(records);
  for (std::size_t r = 0; r < 3; ++r) {
    *batch.column(0).row<bool>(r) = true;
    *batch.column(1).row<std::int64_t>(r) = -7;
    batch.column(2).row<float>(r)[1] = r == 1 ? NAN : 2.5F;
    *batch.column(3).row<double>(r) = r == 2 ? 1e300 : 0.1;
  }
  op->process(batch, nullptr);
  batch.end_stage();
  const float* v = batch.column(4).row<float>(0);
  CHECK(std::vector<float>(v, v + 7) == std::vector<float>{1, -7, 0, 2.5F, 0, 0.1F, 0.5F});
  REQUIRE(batch.errors().size() == 2);
  CHECK(name_of(batch.errors()[0].code) == "K0904");
  CHECK(batch.errors()[0].message == "`x[1]` is not finite as `f32`: nan");
  CHECK(batch.errors()[1].message == "`d` is not finite as `f32`: inf");
}

TEST_CASE("vector refuses text and what may be null") {
  using enum DiagnosticCode;
  StageCall call{.operands = {column(0, "s", {.scalar = ScalarType::String})}, .name = "v"};
  check_refused(call, "vector", K0302, IssuePlace::Part::Operand);
  call.operands = {column(0, "a", {.scalar = ScalarType::F32}),
                   column(1, "b", {.scalar = ScalarType::I64, .optional = true})};
  check_refused(call, "vector", K0301, IssuePlace::Part::Operand);
  CHECK(node("vector").infer(call).error().place.index == 1);
  CHECK(node("vector").infer(call).error().help.find("b ?? 0") != std::string::npos);
  call.operands = {column(0, "n", {.scalar = ScalarType::I64})};
  CHECK_FALSE(node("vector").infer(call)->fallible);
}

TEST_CASE("a scaler file with what toml++ must not see is refused with its line") {
  const Type f64{.scalar = ScalarType::F64};
  const auto message = [&](std::string_view text) {
    const TemporaryFile file{std::string{text}};
    const auto inferred = node("standardize").infer(standardize(f64, file.path));
    REQUIRE_FALSE(inferred.has_value());
    CHECK(name_of(inferred.error().code) == "K0405");
    return inferred.error().message;
  };
  CHECK(message("mean = 1\n\u00a7\nstd = 1\n")
            .ends_with("line 2: only comments and strings hold characters beyond ASCII"));
  CHECK(message("mean = " + std::string(1000, '['))
            .ends_with("line 1: more than 32 brackets within each other"));
}
