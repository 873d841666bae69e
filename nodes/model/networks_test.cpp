#include <algorithm>
#include <cmath>
#include <sstream>
#include <string>
#include <vector>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

constexpr double network_tolerance = 1e-5;  // of scores, relative above 1
constexpr std::size_t rows_in_all = 1000;

std::vector<std::vector<double>> numbers_of(const std::string& file) {
  std::istringstream text(bytes_of(fixtures + "networks/" + file));
  std::vector<std::vector<double>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) {
      rows.back().push_back(std::stod(field));
    }
  }
  REQUIRE(rows.size() == rows_in_all);
  return rows;
}

double number_at(const Batch& batch, Slot slot, Row row, std::size_t i) {
  const ColumnBuffer& column = batch.column(slot);
  return column.type.scalar == ScalarType::F64 ? column.row<double>(row)[i]
                                               : static_cast<double>(column.row<float>(row)[i]);
}

/// An export of make_network_fixtures.py: NAME-HOW.onnx, whose answers are in NAME.csv.
struct Exported {
  std::string name;
  std::vector<std::string> how;
};

const std::vector<std::string> both{"batch-any", "batch-one"};
const std::vector<std::string> layouts{"batch-any", "batch-one", "sequence-any", "sequence-one"};
const std::vector<std::string> any{"batch-any"};

std::string remark_of(const std::string& how) {
  if (how.ends_with("sequence-any"))
    return "[12,N,2] takes 24 values a record: dimension 1 is the batch";
  if (how.ends_with("sequence-one")) {
    return "[12,1,2] takes 24 values a record: its fixed second dimension of 1 is the batch";
  }
  if (how.ends_with("batch-one")) {
    return "[1,12,2] takes 24 values a record: its fixed first dimension of 1 is the batch";
  }
  return "[N,12,2] takes 24 values a record: dimension 0 is the batch";
}

/// networks/FILE.onnx gives to rows.csv what is in networks/NAME.csv.
void check_export(const std::string& file, const std::string& name, const std::string& remark) {
  CAPTURE(file);
  auto model = load(fixtures + "networks/" + file + ".onnx");
  INFO((model ? std::string{} : model.error().message));
  REQUIRE(model);
  REQUIRE((*model)->remarks().size() == 1);
  CHECK_THAT((*model)->remarks()[0], Catch::EndsWith("` " + remark));
  Applied stage(*model, {.scalar = ScalarType::F32, .width = 24});
  REQUIRE(stage.inferred.columns.size() == 3);  // out, index, score
  const auto rows = numbers_of("rows.csv");
  const auto expected = numbers_of(name + ".csv");
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (Row row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < 24; ++i) {
      batch.column(0).row<float>(row)[i] = static_cast<float>(rows[row][i]);
    }
  }
  stage.run(batch);
  CHECK(batch.errors().empty());
  double worst = 0;
  std::size_t other_classes = 0;
  for (Row row = 0; row < rows.size(); ++row) {
    const std::vector<double>& wanted = expected[row];
    REQUIRE(batch.column(1).type.elements() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      worst = std::max(worst, std::abs(number_at(batch, 1, row, i) - wanted[i]) /
                                  std::max(1.0, std::abs(wanted[i])));
    }
    other_classes += *batch.column(2).row<std::int64_t>(row) !=
                     std::ranges::max_element(wanted) - wanted.begin();
  }
  INFO("largest difference " << worst);
  CHECK(worst <=
        (stage.inferred.columns[0].type.scalar == ScalarType::F64 ? 1e-10 : network_tolerance));
  CHECK(other_classes == 0);
}

}  // namespace

TEST_CASE("networks of PyTorch, exported in every way, give PyTorch's answers") {
  const auto exported = GENERATE(values<Exported>({
      {"perceptron", both},
      {"lstm", layouts},
      {"bidirectional", layouts},
      {"gru", layouts},
      {"rnn", layouts},
      {"convolutions", both},
      {"encoder", layouts},
      {"double", any},
      {"activations", any},
      {"causal", any},
  }));
  CAPTURE(exported.name);
  for (const std::string exporter : {"dynamo-", "torchscript-"}) {
    for (const std::string& how : exported.how) {
      check_export(exported.name + "-" + exporter + how, exported.name, remark_of(how));
    }
  }
}

TEST_CASE("networks of Keras give Keras's answers, a GRU's loop unrolled") {
  const std::string name = GENERATE(as<std::string>{}, "lstm", "bidirectional", "convolutions",
                                    "gru", "gru-bidirectional", "gru-unrolled", "rnn", "attention");
  check_export("keras-" + name, "keras-" + name, remark_of("batch-any"));
}

TEST_CASE("a network's inputs are columns of numbers and of places, its outputs are chosen") {
  const std::string exporter = GENERATE(as<std::string>{}, "dynamo", "torchscript");
  const std::string output = GENERATE(as<std::string>{}, "", "score");
  CAPTURE(exporter, output);
  auto model = load(fixtures + "networks/table-" + exporter + ".onnx");
  INFO((model ? std::string{} : model.error().message));
  REQUIRE(model);
  Params params;
  if (!output.empty()) params["output"].data = output;
  AppliedColumns stage(*model,
                       {{.name = "numbers", .type = {.scalar = ScalarType::F32, .width = 3}},
                        {.name = "color", .type = {.scalar = ScalarType::I64}},
                        {.name = "shop", .type = {.scalar = ScalarType::I64}}},
                       params);
  REQUIRE(stage.inferred.columns.size() == 1);
  CHECK_FALSE(stage.inferred.columns[0].type.is_vector());
  const auto rows = numbers_of("table.csv");
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (Row row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < 3; ++i) {
      batch.column(0).row<float>(row)[i] = static_cast<float>(rows[row][i]);
    }
    *batch.column(1).row<std::int64_t>(row) = static_cast<std::int64_t>(rows[row][3]);
    *batch.column(2).row<std::int64_t>(row) = static_cast<std::int64_t>(rows[row][4]);
  }
  *batch.column(1).row<std::int64_t>(7) = 5;  // of 5 places, counted from 0
  stage.run(batch);
  REQUIRE(batch.errors().size() == 1);
  CHECK(batch.errors()[0].row == 7);
  CHECK(batch.errors()[0].code == DiagnosticCode::K0906);
  double worst = 0;
  for (Row row = 0; row < rows.size(); ++row) {
    if (row == 7) continue;
    const double wanted = rows[row][output.empty() ? 5 : 6];
    worst = std::max(
        worst, std::abs(number_at(batch, 3, row, 0) - wanted) / std::max(1.0, std::abs(wanted)));
  }
  INFO("largest difference " << worst);
  CHECK(worst <= network_tolerance);
}
