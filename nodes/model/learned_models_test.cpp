#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

/// What of a model's answer its framework tells in words.
enum class Told { Label, Index, Scores };

/// A model of fixtures/learned, whose answers its own framework gave.
struct Learned {
  std::string name;
  Told told = Told::Label;
};

constexpr double tolerance = 1e-5;  // of scores, relative above 1

std::vector<std::vector<std::string>> fields_of(const std::string& file) {
  std::istringstream text(bytes_of(fixtures + "learned/" + file));
  std::vector<std::vector<std::string>> rows;
  for (std::string line; std::getline(text, line);) {
    std::istringstream fields(line);
    rows.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) rows.back().push_back(field);
  }
  REQUIRE(rows.size() == 1000);
  return rows;
}

double score_of(const ColumnBuffer& column, Row row, std::size_t i) {
  return column.type.scalar == ScalarType::F64 ? column.row<double>(row)[i]
                                               : static_cast<double>(column.row<float>(row)[i]);
}

void check_answers(const Learned& learned, Batch& batch, const Inferred& inferred, Slot first) {
  const auto expected = fields_of(learned.name + ".csv");
  CHECK(batch.errors().empty());
  const auto& columns = inferred.columns;
  const auto slot_of = [&](const char* name) {
    return static_cast<Slot>(first +
                             (std::ranges::find(columns, name, &Column::name) - columns.begin()));
  };
  const Slot end = first + static_cast<Slot>(columns.size());
  REQUIRE((slot_of("y.label") != end) == (learned.told == Told::Label));
  REQUIRE((slot_of("y.index") != end || learned.told == Told::Scores));
  double worst = 0;
  std::size_t other_labels = 0;
  for (Row row = 0; row < expected.size(); ++row) {
    const ColumnBuffer& out = batch.column(first);
    REQUIRE(out.type.elements() == expected[row].size() - 1);
    for (std::size_t i = 0; i < out.type.elements(); ++i) {
      const double wanted = std::stod(expected[row][i + 1]);
      worst = std::max(worst,
                       std::abs(score_of(out, row, i) - wanted) / std::max(1.0, std::abs(wanted)));
    }
    if (learned.told == Told::Label) {
      other_labels +=
          *batch.column(slot_of("y.label")).row<std::string_view>(row) != expected[row][0];
    } else if (learned.told == Told::Index) {
      other_labels += std::to_string(*batch.column(slot_of("y.index")).row<std::int64_t>(row)) !=
                      expected[row][0];
    }
  }
  CHECK(other_labels == 0);
  INFO("largest difference " << worst);
  CHECK(worst <= tolerance);
}

}  // namespace

TEST_CASE("models of scikit-learn, XGBoost and LightGBM give their frameworks' answers") {
  const auto learned = GENERATE(values<Learned>({
      {"logistic-numbers"},
      {"logistic-names"},
      {"logistic-two"},
      {"logistic-double"},
      {"random-forest"},
      {"random-forest-two"},
      {"extra-trees"},
      {"decision-tree"},
      {"decision-tree-double"},
      {"gradient-boosting"},
      {"gradient-boosting-two"},
      {"bagging"},
      {"voting"},
      {"calibrated"},
      {"ada-boost"},
      {"svc"},
      {"svc-two"},
      {"svc-votes"},
      {"linear-svc"},
      {"naive-bayes"},
      {"perceptron"},
      {"k-means", Told::Index},
      {"pca-linear", Told::Scores},
      {"polynomial", Told::Scores},
      {"poisson", Told::Scores},
      {"forest-regressor", Told::Scores},
      {"forest-of-two", Told::Scores},
      {"gradient-boosting-regressor", Told::Scores},
      {"svr", Told::Scores},
      {"normalized", Told::Scores},
      {"perceptron-regressor", Told::Scores},
      {"xgboost-two"},
      {"xgboost-three"},
      {"xgboost-regressor", Told::Scores},
      {"lightgbm-two"},
      {"lightgbm-three"},
      {"lightgbm-regressor", Told::Scores},
      {"missing-xgboost", Told::Scores},
      {"missing-imputed"},
      {"categories-lightgbm"},
      {"nearest"},
      {"nearest-regressor", Told::Scores},
      {"gaussian-process", Told::Scores},
      {"ada-boost-regressor", Told::Scores},
  }));
  CAPTURE(learned.name);
  auto model = load(fixtures + "learned/" + learned.name + ".onnx");
  INFO((model ? std::string{} : model.error().message));
  REQUIRE(model);
  const std::string input = learned.name.starts_with("missing")      ? "missing.csv"
                            : learned.name.starts_with("categories") ? "categories.csv"
                                                                     : "rows.csv";
  const auto rows = fields_of(input);
  const auto width = static_cast<std::uint32_t>(rows[0].size());
  Params params;
  if (input != "rows.csv") params["missing"].data = std::string{"nan"};
  Applied stage(*model, {.scalar = ScalarType::F32, .width = width}, params);
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (Row row = 0; row < rows.size(); ++row) {
    for (std::size_t i = 0; i < width; ++i) {
      batch.column(0).row<float>(row)[i] = std::stof(rows[row][i]);
    }
  }
  stage.run(batch);
  check_answers(learned, batch, stage.inferred, 1);
}

TEST_CASE("columns of several types are a model's inputs, words among them") {
  auto model = load(fixtures + "learned/mixed-columns.onnx");
  REQUIRE(model);
  AppliedColumns stage(*model, {{.name = "amount", .type = {.scalar = ScalarType::F32}},
                                {.name = "count", .type = {.scalar = ScalarType::I64}},
                                {.name = "color", .type = {.scalar = ScalarType::String}}});
  const auto rows = fields_of("mixed.csv");
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (Row row = 0; row < rows.size(); ++row) {
    *batch.column(0).row<float>(row) = std::stof(rows[row][0]);
    *batch.column(1).row<std::int64_t>(row) = std::stol(rows[row][1]);
    *batch.column(2).row<std::string_view>(row) = rows[row][2];
  }
  stage.run(batch);
  check_answers({"mixed-columns"}, batch, stage.inferred, 3);
}

TEST_CASE("a word for a number, and a number for a word, are refused at the argument") {
  auto model = load(fixtures + "learned/mixed-columns.onnx");
  REQUIRE(model);
  StageCall call = call_with(*model, {.scalar = ScalarType::F32}, 3);
  auto wrong = infer(call);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == DiagnosticCode::K0302);
  CHECK(wrong.error().message == "the model's input `color` takes a `string`, not `f32`");
  for (Operand& operand : call.operands) {
    operand.expression.type = {.scalar = ScalarType::String};
  }
  wrong = infer(call);
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().message == "the model's input `amount` takes numbers, not `string`");
}

TEST_CASE("a tree whose branches lead back is refused; that they meet again is fine") {
  const auto model = load(fixtures + "tree-circle.onnx");
  REQUIRE_FALSE(model);
  CHECK(model.error().code == DiagnosticCode::K0405);
  CHECK_THAT(model.error().message, Catch::EndsWith("a tree whose branches lead back"));

  // As many ways to the leaf as nothing could write down.
  const auto ladder = load(fixtures + "tree-ladder.onnx");
  REQUIRE(ladder);
  Applied stage(*ladder, window);
  const RecordBatch records = make_records(1);
  Batch batch(stage.slots, 1);
  batch.reset(records);
  std::fill_n(batch.column(0).row<float>(0), 60, 0.5F);
  stage.run(batch);
  CHECK(*batch.column(1).row<float>(0) == 1.0F);
}
