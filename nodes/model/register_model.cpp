#include "nodes/model/register_model.hpp"

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "nodes/model/model_resource.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

std::string_view model_documentation() {
  static const std::string text = [] {
    std::string names;
    for (const NamedOperator& op : all_operators()) {
      names += names.empty() ? "" : " ";
      names += op.name;
    }
    return fmt::format(
        "Executes the model's operators on the processor, several records side by side; the answer "
        "for a record never depends on its neighbours. Weights beside the model "
        "(`NAME.onnx.data`) are read too, from its own folder only.\n\n"
        "Operators: {}.\n\n"
        "The batch is the input's dimension without a fixed size, or a first one of 1 (the second "
        "one of three, where the sequence comes first); the others take the row.",
        names);
  }();
  return text;
}

}  // namespace

void register_model(NodeRegistry& registry) {
  registry.add({
      .role = NodeRole::Model,
      .name = "onnx",
      .summary = "a model in an ONNX file",
      .documentation = model_documentation(),
      .params = {{.name = "labels",
                  .kind = ParamKind::StringList,
                  .summary = "the classes' names, in the model's order"},
                 {.name = "golden",
                  .kind = ParamKind::File,
                  .summary = "a CSV file of records that `check` computes: the arguments' values, "
                             "then those of `out` as the training framework gave them"},
                 {.name = "tolerance",
                  .kind = ParamKind::Number,
                  .summary = "how far a value may be from its golden one, relative to it where it "
                             "is greater than 1",
                  .default_text = "1e-5"}},
      .examples = {"model chart = onnx \"chart.onnx\" { labels: [\"low\", \"high\"] }"},
      .load_model = load_onnx,
  });
  registry.add({
      .role = NodeRole::Stage,
      .name = "apply",
      .summary = "computes a model's answer",
      .documentation =
          "`apply m(a, b) as y` feeds the columns to the model's inputs in their order and defines "
          "`y.out` (the scores), `y.index` (the class), `y.score` (the score of that class) and "
          "`y.label` (its name). A number that is not finite fails the row with `K0904`.",
      .params = {{.name = "output",
                  .kind = ParamKind::String,
                  .summary =
                      "which of the model's outputs is `out`; the first floating one if absent"},
                 {.name = "missing",
                  .kind = ParamKind::Word,
                  .summary = "`nan`: null and NaN reach the model as NaN",
                  .words = {"nan"}}},
      .examples = {"|> apply chart(x) as y"},
      .infer = infer_apply,
      .make_operator = make_apply,
  });
}

}  // namespace kaspar::nodes
