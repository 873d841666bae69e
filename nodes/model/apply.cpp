#include <fmt/core.h>

#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "nodes/model/compile.hpp"
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

class ApplyState final : public OperatorState {
 public:
  explicit ApplyState(const Program& program)
      : memory_(static_cast<float*>(::operator new(bytes(program), std::align_val_t{64}))),
        size_(program.memory_floats()) {
    std::fill_n(memory_, size_, 0.0F);
    program.prepare(memory());
  }
  ~ApplyState() override { ::operator delete(memory_, std::align_val_t{64}); }

  [[nodiscard]] std::span<float> memory() const noexcept { return {memory_, size_}; }

 private:
  static std::size_t bytes(const Program& program) {
    return std::max<std::size_t>(64, program.memory_floats() * sizeof(float));
  }
  float* memory_;
  std::size_t size_;
};

class ApplyOperator final : public Operator {
 public:
  ApplyOperator(std::shared_ptr<const AppliedModel> applied, std::vector<Operand> operands,
                std::span<const Slot> writes, bool missing)
      : applied_(std::move(applied)),
        operands_(std::move(operands)),
        writes_(writes.begin(), writes.end()),
        missing_(missing) {}

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override {
    return std::make_unique<ApplyState>(applied_->program);
  }

  void process(Batch& batch, OperatorState* state) const noexcept override {
    const std::span<float> memory = static_cast<ApplyState*>(state)->memory();
    const std::span<const Row> alive = batch.alive();
    std::array<Row, lanes> rows{};
    std::size_t taken = 0;
    for (const Row row : alive) {
      if (!load(batch, row, taken, memory)) continue;
      rows[taken++] = row;
      if (taken == lanes) {
        run(batch, std::span(rows).first(taken), memory);
        taken = 0;
      }
    }
    if (taken != 0) run(batch, std::span(rows).first(taken), memory);
  }

 private:
  /// Puts a row's arguments into a lane; false if it failed.
  bool load(Batch& batch, Row row, std::size_t lane, std::span<float> memory) const noexcept {
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const Expression& argument = operands_[i].expression;
      float* to = memory.data() + applied_->program.inputs[i] * lanes + lane;
      std::size_t bad = argument.type.elements();
      if (argument.kind == Expression::Kind::Column) {
        bad = load_column(batch.column(argument.slot), row, to);
      } else {
        const float value = constant_or_meta(batch, row, argument);
        *to = value;
        if (refused(value)) bad = 0;
      }
      if (bad != argument.type.elements()) {
        const float value = to[bad * lanes];
        const std::string_view what = std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
        batch.fail(row, DiagnosticCode::K0904,
                   argument.type.is_vector()
                       ? fmt::format("`{}[{}]` is {}", argument.text, bad, what)
                       : fmt::format("`{}` is {}", argument.text, what));
        return false;
      }
    }
    return true;
  }

  /// The place of the first non-finite element, or how many there are.
  std::size_t load_column(const ColumnBuffer& column, Row row, float* to) const noexcept {
    if (column.is_null(row)) {  // only with missing_, or the type would not be optional
      for (std::size_t i = 0; i < column.type.elements(); ++i) to[i * lanes] = std::nanf("");
      return column.type.elements();
    }
    switch (column.type.scalar) {
      case ScalarType::F32:
        return convert(column.row<float>(row), column.type.elements(), to);
      case ScalarType::F64:
        return convert(column.row<double>(row), column.type.elements(), to);
      case ScalarType::I64:
        return convert(column.row<std::int64_t>(row), column.type.elements(), to);
      case ScalarType::Bool:
        return convert(column.row<bool>(row), column.type.elements(), to);
      default:
        break;
    }
    return 0;
  }
  template <class T>
  std::size_t convert(const T* from, std::size_t count, float* to) const noexcept {
    std::size_t bad = count;
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(from[i]);
      to[i * lanes] = value;
      if (refused(value) && bad == count) bad = i;
    }
    return bad;
  }
  static float constant_or_meta(const Batch& batch, Row row, const Expression& argument) noexcept {
    if (argument.kind == Expression::Kind::Meta) {
      const Record& record = batch.record(row);
      if (argument.meta == MetaField::Partition) {
        return static_cast<float>(batch.records().spans[record.span].partition);
      }
      return static_cast<float>(record.offset);
    }
    if (const auto* flag = argument.literal.get<bool>()) return *flag ? 1.0F : 0.0F;
    if (const auto* whole = argument.literal.get<std::int64_t>()) return static_cast<float>(*whole);
    if (const auto* real = argument.literal.get<double>()) return static_cast<float>(*real);
    return 0.0F;
  }

  [[nodiscard]] bool refused(float value) const noexcept {
    return missing_ ? std::isinf(value) : !std::isfinite(value);
  }

  void run(Batch& batch, std::span<const Row> rows, std::span<float> memory) const noexcept {
    applied_->program.run(memory);
    for (std::size_t lane = 0; lane < rows.size(); ++lane) store(batch, rows[lane], lane, memory);
  }

  void store(Batch& batch, Row row, std::size_t lane, std::span<float> memory) const noexcept {
    const ProgramOutput& out = applied_->out;
    const float* scores = memory.data() + out.first * lanes + lane;
    float* to = batch.column(writes_[0]).row<float>(row);
    for (std::size_t i = 0; i < out.width; ++i) to[i] = scores[i * lanes];
    if (!applied_->has_index) return;

    const std::vector<std::string>& labels = applied_->model->labels();
    std::int64_t index = 0;
    float score = 0;
    if (out.width == 1 && !applied_->label) {
      index = to[0] >= 0.5F ? 1 : 0;
      score = index == 1 ? to[0] : 1.0F - to[0];
    } else {
      if (applied_->label) {
        index = static_cast<std::int64_t>(memory[applied_->label->first * lanes + lane]);
      } else {
        for (std::size_t i = 1; i < out.width; ++i) {
          if (to[i] > to[index]) index = static_cast<std::int64_t>(i);
        }
      }
      if (index < 0 || static_cast<std::size_t>(index) >= out.width) {
        batch.fail(row, DiagnosticCode::K0906,
                   fmt::format("the model's class {} is none of its {}", index, out.width));
        return;
      }
      score = to[index];
    }
    *batch.column(writes_[1]).row<std::int64_t>(row) = index;
    *batch.column(writes_[2]).row<float>(row) = score;
    if (!labels.empty()) {
      *batch.column(writes_[3]).row<std::string_view>(row) =
          labels[static_cast<std::size_t>(index)];
    }
  }

  std::shared_ptr<const AppliedModel> applied_;
  std::vector<Operand> operands_;
  std::vector<Slot> writes_;
  bool missing_;  // null and NaN reach the model as NaN
};

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

std::expected<void, Issue> choose_outputs(AppliedModel& applied, const std::string& wanted) {
  const std::vector<ProgramOutput>& outputs = applied.program.outputs;
  const ProgramOutput* out = nullptr;
  for (const ProgramOutput& output : outputs) {
    if (!wanted.empty() ? output.name == wanted : out == nullptr && !output.integer) out = &output;
    if (output.integer && output.width == 1 && !applied.label) applied.label = output;
  }
  if (out == nullptr && !wanted.empty()) {
    std::string names;
    for (const ProgramOutput& output : outputs)
      names += (names.empty() ? "`" : ", `") + output.name + "`";
    return std::unexpected(param_issue(DiagnosticCode::K0201, "output",
                                       fmt::format("the model has no output `{}`", wanted),
                                       "its outputs are " + names));
  }
  applied.out = out != nullptr ? *out : outputs.front();
  const std::size_t width = applied.out.width;
  if (width == 0) {
    return std::unexpected(stage_issue(
        DiagnosticCode::K0401, fmt::format("the model's output `{}` is empty", applied.out.name)));
  }
  // A label tells a place among classes only where scores tell how many those are.
  if (applied.out.integer || width == 1) applied.label.reset();
  const std::size_t labels = applied.model->labels().size();
  const std::size_t classes = width == 1 ? 2 : width;
  if (labels != 0 && labels != classes) {
    Issue issue = param_issue(DiagnosticCode::K0402, "labels",
                              fmt::format("{} labels for a model with {} classes", labels, classes),
                              "give each class one label, in the model's order");
    issue.label = fmt::format("{} labels", labels);
    issue.notes.push_back(fmt::format("its output `{}` has {} value{}", applied.out.name, width,
                                      width == 1 ? ", which tells two classes apart" : "s"));
    return std::unexpected(std::move(issue));
  }
  applied.has_index = width >= 2 || labels == 2;
  return {};
}

std::expected<std::shared_ptr<const Resource>, Issue> load_onnx(const std::string& path,
                                                                const Params& params) {
  if (!(golden_of(params).tolerance >= 0)) {
    return std::unexpected(
        param_issue(DiagnosticCode::K0302, "tolerance", "a tolerance is not negative", {}));
  }
  auto graph = read_onnx(path);
  if (!graph) return std::unexpected(std::move(graph.error()));
  std::vector<std::size_t> widths;
  bool natural = true;
  for (const GraphPort& input : graph->inputs) {
    widths.push_back(natural_width(input));
    natural = natural && widths.back() != 0;
  }
  std::vector<std::string> labels = labels_of(params);
  std::vector<std::string> remarks;
  if (!natural) {
    return std::make_shared<const ModelResource>(std::move(*graph), std::move(labels),
                                                 std::move(remarks), golden_of(params));
  }
  AppliedModel trial;
  auto program = compile(*graph, widths);
  if (program) {
    remarks = program->remarks;
    trial.program = std::move(*program);
  } else if (program.error().code != DiagnosticCode::K0401) {  // that is the `apply`'s
    program.error().place.part = IssuePlace::Part::File;
    return std::unexpected(std::move(program.error()));
  }
  auto model = std::make_shared<const ModelResource>(std::move(*graph), std::move(labels),
                                                     std::move(remarks), golden_of(params));
  // With several outputs, `apply` says which one the labels are for.
  if (trial.program.outputs.size() == 1) {
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
  const std::vector<GraphPort>& inputs = model->graph().inputs;
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
    if (!argument.type.is_numeric()) {
      return std::unexpected(
          operand_issue(DiagnosticCode::K0302, i,
                        fmt::format("the model's input `{}` takes numbers, not `{}`",
                                    inputs[i].name, to_string(argument.type))));
    }
    if (argument.type.optional && !takes_missing(call.params)) {
      return std::unexpected(operand_issue(
          DiagnosticCode::K0301, i, fmt::format("`{}` may be null", argument.text),
          fmt::format("give a value for null: `derive {{ {0} = {0} ?? 0 }}`", argument.text)));
    }
    widths.push_back(argument.type.elements());
  }
  auto applied = std::make_shared<AppliedModel>();
  applied->model = model;
  auto program = compile(model->graph(), widths);
  if (!program) return std::unexpected(std::move(program.error()));
  applied->program = std::move(*program);
  if (auto chosen = choose_outputs(*applied, string_param(call.params, "output")); !chosen) {
    return std::unexpected(std::move(chosen.error()));
  }
  if (auto same = check_golden(*applied, model->golden()); !same) {
    return std::unexpected(std::move(same.error()));
  }
  const std::size_t width = applied->out.width;
  Inferred inferred{.fallible = true};
  inferred.columns.push_back(
      {.name = call.name + ".out",
       .type = {.scalar = ScalarType::F32,
                .width = width == 1 ? 0 : static_cast<std::uint32_t>(width)}});
  if (applied->has_index) {
    inferred.columns.push_back({.name = call.name + ".index", .type = {.scalar = ScalarType::I64}});
    inferred.columns.push_back({.name = call.name + ".score", .type = {.scalar = ScalarType::F32}});
    if (!model->labels().empty()) {
      inferred.columns.push_back(
          {.name = call.name + ".label", .type = {.scalar = ScalarType::String}});
    }
  }
  inferred.resource = std::move(applied);
  return inferred;
}

std::unique_ptr<Operator> make_apply(const StageBinding& binding) {
  std::vector<Operand> arguments;
  for (const Operand& operand : binding.call.operands) {
    if (operand.role.empty()) arguments.push_back(operand);
  }
  return std::make_unique<ApplyOperator>(
      std::dynamic_pointer_cast<const AppliedModel>(binding.resource), std::move(arguments),
      binding.writes, takes_missing(binding.call.params));
}

}  // namespace kaspar::nodes
