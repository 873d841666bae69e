// A model file as `check` read it, and what an `apply` of it became.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nodes/model/file_digest.hpp"
#include "nodes/model/graph.hpp"
#include "nodes/model/program.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/resource_facts.hpp"

namespace kaspar::nodes {

/// Golden vectors as the model's options give them: a file of at most 4 MiB, each line a record:
/// the arguments' values in their order, then those of `out`, separated by commas, no header.
struct GoldenFile {
  std::string path;         // empty: none
  double tolerance = 1e-5;  // |is - golden| <= tolerance * max(1, |golden|)
};

/// Golden vectors that were reproduced.
struct GoldenResult {
  std::size_t rows = 0;  // 0: none were given
  double deviation = 0;  // the largest, as the tolerance counts it
};

/// Immutable and shared by every `apply` of the model.
class ModelResource final : public Resource, public DescribedResource {
 public:
  /// The options of the model, and what it may take of memory.
  struct Options {
    std::vector<std::string> labels = {};
    GoldenFile golden = {};
    std::size_t memory_budget = 0;
    FileDigest digest = {};
  };
  /// `program`, unless null, is the graph for the only widths that its inputs take; no more than
  /// the inputs is then left of the graph.
  ModelResource(Graph graph, Options options, std::shared_ptr<const Program> program = nullptr)
      : inputs_(graph.inputs),
        weight_bytes_(graph.bytes),
        options_(std::move(options)),
        program_(std::move(program)) {
    if (program_ == nullptr) graph_ = std::move(graph);
  }

  [[nodiscard]] const std::vector<GraphPort>& inputs() const noexcept { return inputs_; }
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return options_.labels; }
  [[nodiscard]] const GoldenFile& golden() const noexcept { return options_.golden; }
  [[nodiscard]] std::size_t memory_budget() const noexcept { return options_.memory_budget; }
  [[nodiscard]] std::size_t memory() const noexcept override { return weight_bytes_; }
  [[nodiscard]] ResourceFacts facts() const override {
    return {.sha256 = options_.digest.sha256, .bytes = options_.digest.bytes};
  }
  [[nodiscard]] std::vector<std::string> remarks() const override {
    return program_ == nullptr ? std::vector<std::string>{} : program_->remarks;
  }
  /// The program for arguments of these widths; as `compile`.
  [[nodiscard]] std::expected<std::shared_ptr<const Program>, Issue> program_for(
      std::span<const std::size_t> widths) const;

 private:
  std::vector<GraphPort> inputs_;
  std::size_t weight_bytes_;
  Options options_;
  std::optional<Graph> graph_;
  std::shared_ptr<const Program> program_;
};

/// The model compiled for the widths of one stage's arguments. Results view its names.
class AppliedModel final : public Resource, public DescribedResource {
 public:
  std::shared_ptr<const ModelResource> model;
  std::shared_ptr<const Program> program;
  ProgramOutput out;                   // of `y.out`
  Type out_type;                       // its column's
  std::optional<ProgramOutput> label;  // the model's own class
  std::size_t classes = 0;             // how many places `y.index` has
  std::vector<std::string> names;      // of the classes, for `y.label`; may be empty
  bool has_index = false;
  bool has_score = false;
  GoldenResult golden;

  [[nodiscard]] ResourceFacts facts() const override {
    return {.golden_rows = golden.rows, .golden_deviation = golden.deviation};
  }
  [[nodiscard]] std::size_t memory_per_thread() const noexcept override {
    return program->memory_bytes();
  }
  [[nodiscard]] std::vector<std::string> remarks() const override { return program->remarks; }
};

/// Opens and checks a model file (NodeDescriptor::load_model).
[[nodiscard]] std::expected<std::shared_ptr<const Resource>, Issue> load_onnx(
    const std::string& path, const Params& params, std::size_t memory_budget);
/// The schema rule and the operator of the stage `apply`.
[[nodiscard]] std::expected<Inferred, Issue> infer_apply(const StageCall& call);
[[nodiscard]] std::unique_ptr<Operator> make_apply(const StageBinding& binding);

/// Which output is which, by the language's rules; K0201 if `wanted` names none, K0402 if the
/// labels are not as many as the classes.
[[nodiscard]] std::expected<void, Issue> choose_outputs(AppliedModel& applied,
                                                        const std::string& wanted);

}  // namespace kaspar::nodes
