// Which of a model's outputs are the scores, the label, the classes.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "nodes/model/model_resource.hpp"

namespace kaspar::nodes {
namespace {

Issue param_issue(DiagnosticCode code, std::string name, std::string message, std::string help) {
  return {.code = code,
          .place = {.part = IssuePlace::Part::Param, .name = std::move(name)},
          .message = std::move(message),
          .help = std::move(help)};
}

bool may_be_label(const ProgramOutput& output) {
  return output.width == 1 && (output.element == Element::I64 || output.element == Element::String);
}

/// The output that tells the class; one whose classes are known comes first.
const ProgramOutput* label_among(const std::vector<ProgramOutput>& outputs,
                                 const ProgramOutput* scores) {
  const ProgramOutput* found = nullptr;
  for (const ProgramOutput& output : outputs) {
    if (&output == scores || !may_be_label(output)) continue;
    if (found == nullptr || (found->classes.empty() && !output.classes.empty())) found = &output;
  }
  return found;
}

std::vector<std::string> names_of(const Classes& classes) {
  if (!classes.names.empty()) return classes.names;
  std::vector<std::string> names;
  for (const std::int64_t number : classes.numbers) names.push_back(std::to_string(number));
  return names;
}

}  // namespace

std::expected<void, Issue> choose_outputs(AppliedModel& applied, const std::string& wanted) {
  const std::vector<ProgramOutput>& outputs = applied.program->outputs;
  const ProgramOutput* out = nullptr;
  for (const ProgramOutput& output : outputs) {
    if (!wanted.empty() ? output.name == wanted : out == nullptr && is_float(output.element)) {
      out = &output;
    }
  }
  if (out == nullptr && !wanted.empty()) {
    std::string names;
    for (const ProgramOutput& output : outputs) {
      names += (names.empty() ? "`" : ", `") + output.name + "`";
    }
    return std::unexpected(param_issue(DiagnosticCode::K0201, "output",
                                       fmt::format("the model has no output `{}`", wanted),
                                       "its outputs are " + names));
  }
  if (out == nullptr) out = &outputs.front();
  applied.out = *out;
  const std::size_t width = out->width;
  if (width == 0 || (width != 1 && out->element == Element::String)) {
    return std::unexpected(Issue{
        .code = DiagnosticCode::K0401,
        .message = fmt::format("the model's output `{}` {}", out->name,
                               width == 0 ? "is empty" : "is a vector of strings, no column")});
  }
  applied.out_type = {.scalar = out->element == Element::F64                 ? ScalarType::F64
                                : out->element == Element::String            ? ScalarType::String
                                : out->element == Element::I64 && width == 1 ? ScalarType::I64
                                                                             : ScalarType::F32,
                      .width = width == 1 ? 0 : static_cast<std::uint32_t>(width)};

  applied.label.reset();
  const bool scores = is_float(out->element);
  const ProgramOutput* label = scores ? label_among(outputs, out) : nullptr;
  const Classes& classes =
      label != nullptr && !label->classes.empty() ? label->classes : out->classes;
  // Without known classes a label tells a place where scores tell how many there are.
  if (label != nullptr && (!classes.empty() || (width > 1 && label->element == Element::I64))) {
    applied.label = *label;
    applied.label->classes = classes;
  }
  applied.classes = !classes.empty() ? classes.size() : width == 1 ? 2 : width;
  const std::vector<std::string>& labels = applied.model->labels();
  if (!labels.empty() && labels.size() != applied.classes) {
    Issue issue = param_issue(DiagnosticCode::K0402, "labels",
                              fmt::format("{} label{} for a model with {} classes", labels.size(),
                                          labels.size() == 1 ? "" : "s", applied.classes),
                              "give each class one label, in the model's order");
    issue.label = fmt::format("{} label{}", labels.size(), labels.size() == 1 ? "" : "s");
    issue.notes.push_back(
        !classes.empty() ? fmt::format("its own are `{}`", fmt::join(names_of(classes), "`, `"))
                         : fmt::format("its output `{}` has {} value{}", out->name, width,
                                       width == 1 ? ", which tells two classes apart" : "s"));
    return std::unexpected(std::move(issue));
  }
  applied.has_index = applied.label || (scores && (width >= 2 || labels.size() == 2));
  applied.has_score =
      applied.has_index && (width == applied.classes || (width == 1 && applied.classes == 2));
  applied.names = labels.empty() ? names_of(classes) : labels;
  if (!applied.has_index) applied.names.clear();
  return {};
}

}  // namespace kaspar::nodes
