// A model file as `check` read it, and what an `apply` of it became.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/model/graph.hpp"
#include "nodes/model/program.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {

/// Golden vectors as the model's options give them: a file of at most 4 MiB, each line a record:
/// the arguments' values in their order, then those of `out`, separated by commas, no header.
struct GoldenFile {
  std::string path;         // empty: none
  double tolerance = 1e-5;  // |is - golden| <= tolerance * max(1, |golden|)
};

/// Immutable and shared by every `apply` of the model.
class ModelResource final : public Resource {
 public:
  ModelResource(Graph graph, std::vector<std::string> labels, std::vector<std::string> remarks,
                GoldenFile golden = {})
      : graph_(std::move(graph)),
        labels_(std::move(labels)),
        remarks_(std::move(remarks)),
        golden_(std::move(golden)) {}

  [[nodiscard]] const Graph& graph() const noexcept { return graph_; }
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return labels_; }
  [[nodiscard]] const GoldenFile& golden() const noexcept { return golden_; }
  [[nodiscard]] std::size_t memory() const noexcept override { return graph_.bytes; }
  [[nodiscard]] std::vector<std::string> remarks() const override { return remarks_; }

 private:
  Graph graph_;
  std::vector<std::string> labels_;
  std::vector<std::string> remarks_;
  GoldenFile golden_;
};

/// The model compiled for the widths of one stage's arguments. Results view its names.
class AppliedModel final : public Resource {
 public:
  std::shared_ptr<const ModelResource> model;
  Program program;
  ProgramOutput out;                   // of `y.out`
  Type out_type;                       // its column's
  std::optional<ProgramOutput> label;  // the model's own class
  std::size_t classes = 0;             // how many places `y.index` has
  std::vector<std::string> names;      // of the classes, for `y.label`; may be empty
  bool has_index = false;
  bool has_score = false;

  [[nodiscard]] std::size_t memory() const noexcept override { return program.memory_bytes(); }
  [[nodiscard]] std::vector<std::string> remarks() const override { return program.remarks; }
};

/// Opens and checks a model file (NodeDescriptor::load_model).
[[nodiscard]] std::expected<std::shared_ptr<const Resource>, Issue> load_onnx(
    const std::string& path, const Params& params);
/// The schema rule and the operator of the stage `apply`.
[[nodiscard]] std::expected<Inferred, Issue> infer_apply(const StageCall& call);
[[nodiscard]] std::unique_ptr<Operator> make_apply(const StageBinding& binding);

/// Which output is which, by the language's rules; K0201 if `wanted` names none, K0402 if the
/// labels are not as many as the classes.
[[nodiscard]] std::expected<void, Issue> choose_outputs(AppliedModel& applied,
                                                        const std::string& wanted);

}  // namespace kaspar::nodes
