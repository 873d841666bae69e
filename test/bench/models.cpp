// A model as the stage `apply` executes it, beside ONNX Runtime: ns a row by thread CPU time, in
// one thread, by turns; JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/model/register_model.hpp"
#include "runtime/core/batch.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "test/bench/contenders.hpp"
#include "test/bench/onnxruntime.hpp"

namespace {

using namespace kaspar;
using namespace kaspar::bench;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(3);
}

/// `apply model(x) as y` over rows in memory, in batches.
class Applied {
 public:
  Applied(const std::string& path, const std::vector<float>& rows, std::size_t width) {
    nodes::register_model(registry_);
    auto model =
        registry_.find(NodeRole::Model, "onnx")->load_model(path, {}, std::size_t{1} << 30);
    if (!model) give_up(path + ": " + model.error().message);
    const Type type{.scalar = ScalarType::F32, .width = static_cast<std::uint32_t>(width)};
    call_.operands.push_back(
        {.role = "",
         .expression = {.kind = Expression::Kind::Column, .type = type, .slot = 0, .text = "x"}});
    call_.name = "y";
    call_.model = std::move(*model);
    auto inferred = registry_.find(NodeRole::Stage, "apply")->infer(call_);
    if (!inferred) give_up(path + ": " + inferred.error().message);
    slots_.push_back({.name = "x", .type = type});
    for (const Column& column : inferred->columns) {
      writes_.push_back(static_cast<Slot>(slots_.size()));
      slots_.push_back(column);
    }
    operator_ =
        registry_.find(NodeRole::Stage, "apply")
            ->make_operator({.call = call_, .writes = writes_, .resource = inferred->resource});
    state_ = operator_->make_state();
    rows_ = &rows;
    width_ = width;
  }

  /// Columns of so many batches, filled with the rows.
  struct Batches {
    std::vector<std::unique_ptr<RecordBatch>> records;
    std::vector<std::unique_ptr<Batch>> batches;
  };
  [[nodiscard]] Batches batches_of(std::size_t size) const {
    Batches made;
    const std::size_t count = rows_->size() / width_;
    for (std::size_t first = 0; first < count; first += size) {
      const std::size_t some = std::min(size, count - first);
      made.records.push_back(std::make_unique<RecordBatch>());
      made.records.back()->records.resize(some);
      made.batches.push_back(std::make_unique<Batch>(slots_, some));
      Batch& batch = *made.batches.back();
      batch.reset(*made.records.back());
      std::copy_n(rows_->data() + first * width_, some * width_, batch.column(0).values<float>());
    }
    return made;
  }
  void run(Batches& all) const noexcept {
    for (const auto& batch : all.batches) {
      batch->begin_stage(1);
      operator_->process(*batch, state_.get());
      batch->end_stage();
    }
  }
  [[nodiscard]] std::vector<float> scores(const Batches& all) const {
    std::vector<float> out;
    for (const auto& batch : all.batches) {
      if (!batch->errors().empty()) give_up("a row fails: " + batch->errors()[0].message);
      const float* const first = batch->column(writes_[0]).values<float>();
      out.insert(out.end(), first, first + batch->rows() * slots_[writes_[0]].type.elements());
    }
    return out;
  }

 private:
  NodeRegistry registry_;
  StageCall call_;
  std::vector<Column> slots_;
  std::vector<Slot> writes_;
  std::unique_ptr<Operator> operator_;
  std::unique_ptr<OperatorState> state_;
  const std::vector<float>* rows_ = nullptr;
  std::size_t width_ = 0;
};

std::vector<float> floats_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  std::vector<float> values(bytes.size() / sizeof(float));
  std::copy_n(bytes.data(), values.size() * sizeof(float), reinterpret_cast<char*>(values.data()));
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model;
  std::string rows_file;
  std::string library;
  std::vector<std::int64_t> shape;
  CLI::App app{"A model beside ONNX Runtime"};
  app.add_option("--model", model)->required();
  app.add_option("--rows", rows_file, "32-bit floats, row by row")->required();
  app.add_option("--shape", shape, "of a row")->required()->delimiter(',');
  app.add_option("--library", library, "libonnxruntime.so");
  CLI11_PARSE(app, argc, argv);

  std::size_t width = 1;
  for (const std::int64_t dim : shape) width *= static_cast<std::size_t>(dim);
  std::vector<float> rows = floats_of(rows_file);
  const std::size_t count = rows.size() / width;
  if (count < 512) give_up("fewer than 512 rows");
  const Applied applied(model, rows, width);
  constexpr std::array<std::size_t, 3> sizes{1, 64, 256};
  std::array<Applied::Batches, 3> all;
  std::vector<Contender> contenders;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    all[i] = applied.batches_of(sizes[i]);
    contenders.push_back({"kaspar", sizes[i], [&, i] { applied.run(all[i]); }});
    applied.run(all[i]);
  }
  const std::vector<float> ours = applied.scores(all[2]);
  double between_batches = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    between_batches = std::max(between_batches, difference(ours, applied.scores(all[i])));
  }
  std::optional<OnnxSession> session;
  std::vector<float> theirs(ours.size());
  double error = -1;
  if (!library.empty()) {
    auto opened = OnnxSession::open(library, model);
    if (!opened) give_up(opened.error());
    session.emplace(std::move(*opened));
    const auto by_onnxruntime = [&](std::size_t batch) {
      const std::size_t scores = ours.size() / count;
      std::vector<std::int64_t> dims{0};
      dims.insert(dims.end(), shape.begin(), shape.end());
      for (std::size_t first = 0; first < count; first += batch) {
        const std::size_t some = std::min(batch, count - first);
        dims[0] = static_cast<std::int64_t>(some);
        session->run({rows.data() + first * width, some * width}, dims,
                     {theirs.data() + first * scores, some * scores});
      }
    };
    by_onnxruntime(256);
    error = difference(ours, theirs);
    for (const std::size_t size : sizes) {
      contenders.push_back({"ONNX Runtime", size, [=] { by_onnxruntime(size); }});
    }
  }
  measure(contenders, count);
  fmt::print("{{\"error\": {:.3g}, \"between_batches\": {:.3g}, \"ns\": [", error, between_batches);
  for (const Contender& contender : contenders) {
    fmt::print("{}\n{{\"name\": \"{}\", \"batch\": {}, \"rounds\": [{:.1f}]}}",
               &contender == contenders.data() ? "" : ",", contender.name, contender.batch,
               fmt::join(contender.nanoseconds, ", "));
  }
  fmt::print("]}}\n");
  return 0;
}
