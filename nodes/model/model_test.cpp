#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "nodes/model/model_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

TEST_CASE("exported models give PyTorch's answers, whatever the layout") {
  const std::string name =
      GENERATE(as<std::string>{}, "lstm-rows", "lstm-steps", "lstm-channel", "lstm-sequence-first",
               "lstm-fixed", "lstm-hidden", "lstm-bidirectional", "lstm-label", "perceptron");
  CAPTURE(name);
  const auto rows = rows_of(name);
  auto model = load(fixtures + name + ".onnx");
  REQUIRE(model);
  CHECK((*model)->remarks().size() == 1);
  Applied stage(*model, window);
  const std::size_t width = rows[0].size() - 60;
  CHECK(stage.inferred.fallible);
  CHECK(stage.inferred.columns[0].name == "y.out");
  CHECK(stage.inferred.columns[0].type.elements() == width);
  CHECK(stage.inferred.columns[0].type.is_vector() == (width > 1));
  CHECK(stage.inferred.columns.size() == (width > 1 ? 3 : 1));

  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < 60; ++i) batch.column(0).row<float>(r)[i] = rows[r][i];
  }
  stage.run(batch);
  CHECK(batch.errors().empty());
  float worst = 0;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const float* out = batch.column(1).row<float>(r);
    std::size_t best = 0;
    for (std::size_t i = 0; i < width; ++i) {
      worst = std::max(worst, std::abs(out[i] - rows[r][60 + i]));
      if (rows[r][60 + i] > rows[r][60 + best]) best = i;
    }
    if (width > 1) {
      CHECK(*batch.column(2).row<std::int64_t>(r) == static_cast<std::int64_t>(best));
      CHECK(*batch.column(3).row<float>(r) == out[best]);
    }
  }
  INFO("largest difference " << worst);
  CHECK(worst < 2e-6F);
}

TEST_CASE("a row's answer does not depend on its neighbours, and dead rows stay untouched") {
  const auto rows = rows_of("lstm-rows");
  auto model = load(fixtures + "lstm-rows.onnx");
  REQUIRE(model);
  Applied stage(*model, window);
  const RecordBatch records = make_records(rows.size());
  Batch all(stage.slots, rows.size());
  Batch some(stage.slots, rows.size());
  for (Batch* batch : {&all, &some}) {
    batch->reset(records);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      for (std::size_t i = 0; i < 60; ++i) batch->column(0).row<float>(r)[i] = rows[r][i];
    }
  }
  for (std::size_t r = 0; r < rows.size(); ++r) {
    if (r % 3 != 0) some.discard(static_cast<Row>(r));
  }
  some.end_stage();
  stage.run(all);
  stage.run(some);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < 6; ++i) {
      const float expected = r % 3 == 0 ? all.column(1).row<float>(r)[i] : 0.0F;
      CHECK(some.column(1).row<float>(r)[i] == expected);
    }
  }
}

TEST_CASE("labels name the class") {
  auto model = load(fixtures + "lstm-rows.onnx", {"a", "b", "c", "d", "e", "f"});
  REQUIRE(model);
  Applied stage(*model, window);
  REQUIRE(stage.inferred.columns.size() == 4);
  CHECK(stage.inferred.columns[3].name == "y.label");
  const auto rows = rows_of("lstm-rows");
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < 60; ++i) batch.column(0).row<float>(r)[i] = rows[r][i];
  }
  stage.run(batch);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto index = static_cast<std::size_t>(*batch.column(2).row<std::int64_t>(r));
    CHECK(*batch.column(4).row<std::string_view>(r) == std::string_view("abcdef").substr(index, 1));
  }
}

TEST_CASE("one output and two labels decide at a half") {
  auto model = load(fixtures + "perceptron.onnx", {"no", "yes"});
  REQUIRE(model);
  Applied stage(*model, window);
  REQUIRE(stage.inferred.columns.size() == 4);
  const auto rows = rows_of("perceptron");
  const RecordBatch records = make_records(rows.size());
  Batch batch(stage.slots, rows.size());
  batch.reset(records);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t i = 0; i < 60; ++i) batch.column(0).row<float>(r)[i] = rows[r][i];
  }
  stage.run(batch);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const float out = rows[r][60];
    CHECK(*batch.column(2).row<std::int64_t>(r) == (out >= 0.5F ? 1 : 0));
    CHECK(*batch.column(3).row<float>(r) == Approx(out >= 0.5F ? out : 1 - out).epsilon(1e-5));
    CHECK(*batch.column(4).row<std::string_view>(r) == (out >= 0.5F ? "yes" : "no"));
  }
}

TEST_CASE("a number that is not finite fails its row only") {
  auto model = load(fixtures + "lstm-rows.onnx");
  REQUIRE(model);
  const Type doubles{.scalar = ScalarType::F64, .width = 60};
  Applied stage(*model, doubles);
  const RecordBatch records = make_records(3);
  Batch batch(stage.slots, 3);
  batch.reset(records);
  batch.column(0).row<double>(0)[59] = std::numeric_limits<double>::quiet_NaN();
  batch.column(0).row<double>(2)[7] = 1e300;
  stage.run(batch);
  REQUIRE(batch.errors().size() == 2);
  CHECK(batch.errors()[0].row == 0);
  CHECK(batch.errors()[0].code == DiagnosticCode::K0904);
  CHECK(batch.errors()[0].message == "`x[59]` is nan");
  CHECK(batch.errors()[1].message == "`x[7]` is inf");
  REQUIRE(batch.alive().size() == 1);
  CHECK(std::isfinite(batch.column(1).row<float>(1)[0]));
}

TEST_CASE("with `missing: nan` null and NaN reach the model, infinities do not") {
  auto model = load(fixtures + "perceptron.onnx");
  REQUIRE(model);
  Type optional = window;
  optional.optional = true;
  Params params;
  params["missing"].data = Word{"nan"};
  Applied stage(*model, optional, params);
  const RecordBatch records = make_records(4);
  Batch batch(stage.slots, 4);
  batch.reset(records);
  for (std::size_t r = 0; r < 4; ++r) batch.column(0).valid[r] = r != 0;
  batch.column(0).row<float>(1)[5] = std::numeric_limits<float>::quiet_NaN();
  batch.column(0).row<float>(2)[5] = std::numeric_limits<float>::infinity();
  stage.run(batch);
  REQUIRE(batch.errors().size() == 1);
  CHECK(batch.errors()[0].row == 2);
  CHECK(batch.errors()[0].message == "`x[5]` is inf");
  CHECK(std::isnan(*batch.column(1).row<float>(0)));
  CHECK(std::isnan(*batch.column(1).row<float>(1)));
  CHECK(std::isfinite(*batch.column(1).row<float>(3)));
}

TEST_CASE("what does not fit the model is refused at the stage") {
  auto model = load(fixtures + "lstm-rows.onnx");
  REQUIRE(model);
  const auto code = [&](Type type, std::size_t arguments = 1) {
    auto result = infer(call_with(*model, type, arguments));
    REQUIRE_FALSE(result);
    return result.error().code;
  };
  CHECK(code({.scalar = ScalarType::F32, .width = 59}) == DiagnosticCode::K0401);
  CHECK(code({.scalar = ScalarType::F32}) == DiagnosticCode::K0401);
  CHECK(code(window, 2) == DiagnosticCode::K0303);
  CHECK(code(window, 0) == DiagnosticCode::K0303);
  CHECK(code({.scalar = ScalarType::String}) == DiagnosticCode::K0302);
  CHECK(code({.scalar = ScalarType::F32, .width = 60, .optional = true}) == DiagnosticCode::K0301);

  StageCall call = call_with(*model, window);
  call.params["output"].data = std::string("nothing");
  auto result = infer(call);
  REQUIRE_FALSE(result);
  CHECK(result.error().code == DiagnosticCode::K0201);
  CHECK(result.error().help == "its outputs are `scores`");
}

TEST_CASE("a model for a fixed batch of several is refused with a way out") {
  auto model = load(fixtures + "batch-of-two.onnx");
  REQUIRE(model);
  for (const std::uint32_t width : {60U, 120U}) {
    auto result = infer(call_with(*model, {.scalar = ScalarType::F32, .width = width}));
    REQUIRE_FALSE(result);
    CHECK(result.error().code == DiagnosticCode::K0401);
    CHECK(result.error().message ==
          "the model's input `x` of shape [2,60,1] has no batch dimension");
    CHECK(result.error().help.find("`dynamic_axes` or `dynamic_shapes`") != std::string::npos);
  }
}

TEST_CASE("labels must be as many as the classes") {
  auto model = load(fixtures + "lstm-rows.onnx", {"a", "b"});
  REQUIRE_FALSE(model);
  CHECK(model.error().code == DiagnosticCode::K0402);
  CHECK(model.error().place.part == IssuePlace::Part::Param);
  CHECK(model.error().place.name == "labels");
  const auto none = kaspar::test::nodes()
                        .find(NodeRole::Model, "onnx")
                        ->load_model(fixtures + "lstm-rows.onnx", {{"labels", Value{ValueList{}}}},
                                     RunSettings{}.memory_budget);
  REQUIRE_FALSE(none);
  CHECK(none.error().code == DiagnosticCode::K0402);
}

TEST_CASE("an operator that is not executed is named with its node") {
  auto model = load(fixtures + "unsupported.onnx");
  REQUIRE_FALSE(model);
  CHECK(model.error().code == DiagnosticCode::K0404);
  CHECK(model.error().message == "operator `Einsum` of node `odd one` is not supported");
  CHECK_FALSE(model.error().help.empty());
}

TEST_CASE("a missing or odd file is refused") {
  const Folder folder;
  for (const std::string& path :
       {folder.file("none.onnx"), folder.file("."), std::string("/dev/zero")}) {
    auto result = load(path);
    REQUIRE_FALSE(result);
    CHECK(result.error().code == DiagnosticCode::K0405);
    CHECK(result.error().place.part == IssuePlace::Part::File);
  }
  // Three million empty nodes.
  std::string many;
  for (int i = 0; i < 3'000'000; ++i) many += std::string_view("\x0a\x00", 2);
  std::string file = "\x3a";
  for (std::size_t size = many.size(); size != 0; size >>= 7) {
    file += static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0));
  }
  write(folder.file("many.onnx"), file + many);
  auto result = load(folder.file("many.onnx"));
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("more than") != std::string::npos);
}

namespace {

/// Loads what is left of a model, and applies it if that is one.
class Damaged {
 public:
  explicit Damaged(const std::string& name)
      : good(bytes_of(fixtures + name + ".onnx")), width_(name.starts_with("networks") ? 24 : 60) {
    if (std::filesystem::exists(fixtures + name + ".onnx.data")) {
      std::filesystem::copy(fixtures + name + ".onnx.data", folder_.file(name + ".onnx.data"));
    }
  }
  /// Whether it was refused, as a file that is, not as a bug.
  bool refused(const std::string& bytes) const {
    write(folder_.file("m.onnx"), bytes);
    auto model = load(folder_.file("m.onnx"));
    if (model) {
      (void)infer(call_with(*model, {.scalar = ScalarType::F32, .width = width_}));
      return false;
    }
    CHECK_FALSE(model.error().message.empty());
    return true;
  }

  std::string good;

 private:
  std::uint32_t width_;
  Folder folder_;
};

}  // namespace

TEST_CASE("a model cut at any byte is refused, or valid as it stands") {
  const std::string name =
      GENERATE(as<std::string>{}, "learned/normalized", "learned/linear-svc",
               "learned/logistic-names", "learned/missing-imputed", "learned/perceptron",
               "learned/mixed-columns", "lstm-layout", "activations", "external", "reductions");
  CAPTURE(name);
  const Damaged model(name);
  CHECK_FALSE(model.refused(model.good));
  std::size_t taken = 0;
  for (std::size_t size = 0; size < model.good.size(); ++size) {
    if (!model.refused(model.good.substr(0, size))) ++taken;
  }
  CHECK(taken <= 3);  // without what stands behind the graph: a second opset, metadata
}

TEST_CASE("damaged files are refused or valid, never worse") {
  for (const std::string name :
       {"lstm-rows", "lstm-fixed", "perceptron", "reductions", "activations", "networks/keras-gru",
        "learned/gradient-boosting-two", "learned/svc-two"}) {
    const Damaged model(name);
    for (std::size_t size = 0; size < model.good.size(); size += 31) {
      (void)model.refused(model.good.substr(0, size));
    }
    for (std::size_t at = 0; at < model.good.size(); at += 11) {
      std::string bad = model.good;
      bad[at] = static_cast<char>(static_cast<unsigned char>(bad[at]) ^ (1U << (at % 8)));
      (void)model.refused(bad);
    }
  }
}
