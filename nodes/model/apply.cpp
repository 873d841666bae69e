#include <fmt/core.h>

#include <algorithm>
#include <span>
#include <utility>

#include "nodes/model/apply_operator.hpp"
#include "nodes/model/compile.hpp"
#include "nodes/model/file_digest.hpp"
#include "nodes/model/golden.hpp"
#include "nodes/model/model_resource.hpp"
#include "nodes/model/onnx_file.hpp"

namespace kaspar::nodes {
namespace {

Issue operand_issue(DiagnosticCode code, std::size_t index, std::string message,
                    std::string help = {}) {
  Issue issue;
  issue.code = code;
  issue.place.part = IssuePlace::Part::Operand;
  issue.place.index = index;
  issue.message = std::move(message);
  issue.help = std::move(help);
  return issue;
}

/// About the stage's word.
Issue stage_issue(DiagnosticCode code, std::string message, std::string help = {}) {
  Issue issue;
  issue.code = code;
  issue.message = std::move(message);
  issue.help = std::move(help);
  return issue;
}

Issue param_issue(DiagnosticCode code, std::string name, std::string message, std::string help) {
  Issue issue = stage_issue(code, std::move(message), std::move(help));
  issue.place.part = IssuePlace::Part::Param;
  issue.place.name = std::move(name);
  return issue;
}

bool takes_missing(const Params& params) { return string_param(params, "missing") == "nan"; }

std::vector<std::string> labels_of(const Params& params) {
  std::vector<std::string> labels;
  const auto found = params.find("labels");
  if (found == params.end()) return labels;
  if (const auto* list = found->second.get<ValueList>()) {
    for (const Value& value : *list) {
      if (const auto* label = value.get<std::string>()) labels.push_back(*label);
    }
  }
  return labels;
}

GoldenFile golden_of(const Params& params) {
  GoldenFile golden;
  if (const auto found = params.find("golden"); found != params.end()) {
    if (const auto* file = found->second.get<FilePath>()) golden.path = file->path;
  }
  if (const auto found = params.find("tolerance"); found != params.end()) {
    if (const auto* number = found->second.get<double>()) golden.tolerance = *number;
  }
  return golden;
}

}  // namespace

std::expected<std::shared_ptr<const Program>, Issue> ModelResource::program_for(
    std::span<const std::size_t> widths) const {
  const auto takes = [](const Program& program, std::span<const std::size_t> given) {
    return std::ranges::equal(program.inputs, given, {}, &ProgramInput::width);
  };
  if (program_ != nullptr && takes(*program_, widths)) return program_;
  Graph ports;
  ports.inputs = inputs_;
  // What has lost its graph takes no other widths: this says which.
  auto program = compile(graph_ ? *graph_ : ports, widths);
  if (!program) return std::unexpected(std::move(program.error()));
  return std::make_shared<const Program>(std::move(*program));
}

std::expected<std::shared_ptr<const Resource>, Issue> load_onnx(const std::string& path,
                                                                const Params& params,
                                                                std::size_t memory_budget) {
  ModelResource::Options options{
      .labels = labels_of(params), .golden = golden_of(params), .memory_budget = memory_budget};
  if (!(options.golden.tolerance >= 0)) {
    return std::unexpected(
        param_issue(DiagnosticCode::K0302, "tolerance", "a tolerance is not negative", {}));
  }
  if (options.labels.empty() && params.contains("labels")) {
    return std::unexpected(
        param_issue(DiagnosticCode::K0402, "labels", "the list of labels is empty",
                    "give each class one label, in the model's order, or leave `labels` out"));
  }
  std::vector<std::string> files;
  auto graph = read_onnx(path, memory_budget, UnknownOperators::Refused, &files);
  if (!graph) return std::unexpected(std::move(graph.error()));
  std::vector<std::size_t> widths;
  bool natural = true;
  for (const GraphPort& input : graph->inputs) {
    widths.push_back(natural_width(input));
    natural = natural && widths.back() != 0;
  }
  std::shared_ptr<const Program> program;
  if (natural) {
    auto compiled = compile_and_consume(*graph, widths);
    if (compiled) {
      program = std::make_shared<const Program>(std::move(*compiled));
    } else if (compiled.error().code != DiagnosticCode::K0401) {  // that is the `apply`'s
      compiled.error().place.part = IssuePlace::Part::File;
      return std::unexpected(std::move(compiled.error()));
    }
  }
  if (program != nullptr && program->memory_bytes() > memory_budget) {
    Issue issue = too_much_memory(*program, memory_budget);
    issue.place.part = IssuePlace::Part::File;
    return std::unexpected(std::move(issue));
  }
  files.insert(files.begin(), path);
  auto digest = digest_of(files);
  if (!digest) {
    Issue issue = stage_issue(DiagnosticCode::K0405, std::move(digest.error()));
    issue.place.part = IssuePlace::Part::File;
    return std::unexpected(std::move(issue));
  }
  options.digest = std::move(*digest);
  auto model =
      std::make_shared<const ModelResource>(std::move(*graph), std::move(options), program);
  // With several outputs, `apply` says which one the labels are for.
  if (program != nullptr && program->outputs.size() == 1) {
    AppliedModel trial;
    trial.program = program;
    trial.model = model;
    auto chosen = choose_outputs(trial, "");
    if (!chosen && chosen.error().code == DiagnosticCode::K0402) {
      return std::unexpected(std::move(chosen.error()));
    }
  }
  return model;
}

std::expected<Inferred, Issue> infer_apply(const StageCall& call) {
  auto model = std::dynamic_pointer_cast<const ModelResource>(call.model);
  if (!model) {
    return std::unexpected(
        stage_issue(DiagnosticCode::K0302, "`apply` wants a model that is executed here"));
  }
  std::vector<const Operand*> arguments;
  for (const Operand& operand : call.operands) {
    if (operand.role.empty()) arguments.push_back(&operand);
  }
  const std::vector<GraphPort>& inputs = model->inputs();
  if (arguments.size() != inputs.size()) {
    std::string names;
    for (const GraphPort& input : inputs) {
      names += fmt::format("{}`{}` {}", names.empty() ? "" : ", ", input.name, shape_text(input));
    }
    return std::unexpected(
        stage_issue(DiagnosticCode::K0303,
                    fmt::format("the model takes {} argument{}, not {}", inputs.size(),
                                inputs.size() == 1 ? "" : "s", arguments.size()),
                    "its inputs are " + names));
  }
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Expression& argument = arguments[i]->expression;
    const bool text = inputs[i].element == Element::String;
    if (text ? argument.type.scalar != ScalarType::String : !argument.type.is_numeric()) {
      return std::unexpected(
          operand_issue(DiagnosticCode::K0302, i,
                        fmt::format("the model's input `{}` takes {}, not `{}`", inputs[i].name,
                                    text ? "a `string`" : "numbers", to_string(argument.type))));
    }
    const bool takes_nan = inputs[i].element && is_float(*inputs[i].element);
    if (argument.type.optional && !(takes_nan && takes_missing(call.params))) {
      return std::unexpected(operand_issue(
          DiagnosticCode::K0301, i, fmt::format("`{}` may be null", argument.text),
          fmt::format("give a value for null: `derive {{ {0} = {0} ?? 0 }}`", argument.text)));
    }
    widths.push_back(argument.type.elements());
  }
  auto applied = std::make_shared<AppliedModel>();
  applied->model = model;
  auto program = model->program_for(widths);
  if (!program) return std::unexpected(std::move(program.error()));
  if ((*program)->memory_bytes() > model->memory_budget()) {
    return std::unexpected(too_much_memory(**program, model->memory_budget()));
  }
  applied->program = std::move(*program);
  if (auto chosen = choose_outputs(*applied, string_param(call.params, "output")); !chosen) {
    return std::unexpected(std::move(chosen.error()));
  }
  auto golden = check_golden(*applied, model->golden());
  if (!golden) return std::unexpected(std::move(golden.error()));
  applied->golden = *golden;
  Inferred inferred{.fallible = true};
  const auto add = [&](const char* part, Type type) {
    inferred.columns.push_back({.name = call.name + part, .type = type});
  };
  add(".out", applied->out_type);
  if (applied->has_index) add(".index", {.scalar = ScalarType::I64});
  if (applied->has_score) add(".score", {.scalar = applied->out_type.scalar});
  if (!applied->names.empty()) add(".label", {.scalar = ScalarType::String});
  inferred.resource = std::move(applied);
  return inferred;
}

std::unique_ptr<Operator> make_apply(const StageBinding& binding) {
  return make_apply_operator(std::dynamic_pointer_cast<const AppliedModel>(binding.resource),
                             binding, takes_missing(binding.call.params));
}

}  // namespace kaspar::nodes
