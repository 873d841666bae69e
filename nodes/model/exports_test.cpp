#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

/// What the model answers, `together` rows a batch.
std::vector<std::vector<double>> answers(Applied& stage,
                                         const std::vector<std::vector<float>>& rows,
                                         std::size_t together) {
  const std::size_t width = stage.inferred.columns[0].type.elements();
  std::vector<std::vector<double>> out;
  for (std::size_t first = 0; first < rows.size(); first += together) {
    const std::size_t count = std::min(together, rows.size() - first);
    const RecordBatch records = make_records(count);
    Batch batch(stage.slots, count);
    batch.reset(records);
    for (std::size_t r = 0; r < count; ++r) {
      std::copy(rows[first + r].begin(), rows[first + r].end(), batch.column(0).row<float>(r));
    }
    stage.run(batch);
    CHECK(batch.errors().empty());
    for (std::size_t r = 0; r < count; ++r) {
      if (stage.inferred.columns[0].type.scalar == ScalarType::F64) {
        const double* row = batch.column(1).row<double>(r);
        out.emplace_back(row, row + width);
      } else {
        const float* row = batch.column(1).row<float>(r);
        out.emplace_back(row, row + width);
      }
    }
  }
  return out;
}

struct Export {
  std::string name;
  std::string remark;
};

}  // namespace

TEST_CASE("what exporters write gives ONNX Runtime's answers") {
  const std::string first = "dimension 0 is the batch";
  const std::string second = "dimension 1 is the batch";
  const std::string one = "its fixed first dimension of 1 is the batch";
  const Export exported = GENERATE_COPY(values<Export>({
      {"torchscript-opset11", "[N,60,1] takes 60 values a record: " + first},
      {"torchscript-opset12", "[N,60] takes 60 values a record: " + first},
      {"torchscript-opset13", "[1,60] takes 60 values a record: " + one},
      {"torchscript-opset14", "[N,60,1] takes 60 values a record: " + first},
      {"torchscript-opset15", "[N,1,60] takes 60 values a record: " + first},
      {"torchscript-opset16",
       "[60,1,1] takes 60 values a record: its fixed second dimension of 1 is the batch"},
      {"torchscript-opset17", "[60,N,1] takes 60 values a record: " + second},
      {"torchscript-opset18", "[1,60,1] takes 60 values a record: " + one},
      {"torchscript-opset19", "[N,20,3] takes 60 values a record: " + first},
      {"torchscript-opset20", "[1,60] takes 60 values a record: " + one},
      {"dynamo-opset18", "[60,N,1] takes 60 values a record: " + second},
      {"dynamo-opset20", "[N,60,1] takes 60 values a record: " + first},
      {"dynamo-opset20-one", "[1,60,1] takes 60 values a record: " + one},
      {"dynamo-opset20-hidden", "[N,60] takes 60 values a record: " + first},
      {"dynamo-opset20-squeezed", "[1,60,1] takes 60 values a record: " + one},
      {"dynamo-opset20-inside", "[N,20,3] takes 60 values a record: " + first},
      {"torchscript-opset16-mean", "[N,60,1] takes 60 values a record: " + first},
      {"torchscript-opset17-largest", "[N,60,1] takes 60 values a record: " + first},
      {"dynamo-opset20-attention", "[N,60,1] takes 60 values a record: " + first},
      {"lstm-layout", "[N,60] takes 60 values a record: " + first},
      {"activations", "[N,60] takes 60 values a record: " + first},
      {"reductions", "[N,60] takes 60 values a record: " + first},
      {"double", "[N,60] takes 60 values a record: " + first},
  }));
  CAPTURE(exported.name);
  auto model = load(fixtures + exported.name + ".onnx");
  REQUIRE(model);
  CHECK((*model)->remarks() == std::vector<std::string>{"input `x` " + exported.remark});
  Applied stage(*model, window);
  const auto rows = rows_of("windows");
  const auto expected = rows_of(exported.name);
  const auto got = answers(stage, rows, rows.size());
  REQUIRE(got.size() == expected.size());
  double worst = 0;
  for (std::size_t r = 0; r < got.size(); ++r) {
    REQUIRE(got[r].size() == expected[r].size());
    for (std::size_t i = 0; i < got[r].size(); ++i) {
      const double wanted = static_cast<double>(expected[r][i]);
      worst = std::max(worst, std::abs(got[r][i] - wanted) / std::max(1.0, std::abs(wanted)));
    }
  }
  INFO("largest difference " << worst);
  CHECK(worst < 2e-6);
  // Also where the model's batch is fixed at 1, and where its graph mixes a larger batch's rows.
  CHECK(answers(stage, rows, 1) == got);
  CHECK(answers(stage, rows, 7) == got);
}
