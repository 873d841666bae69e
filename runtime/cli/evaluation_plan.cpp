#include "runtime/cli/evaluation_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>
#include <vector>

namespace kaspar::cli {
namespace {

struct LabelColumn {
  const ChainPlan* chain = nullptr;
  Slot slot = 0;
};

bool ends_in_label(std::string_view name) { return name.ends_with(".label"); }

/// Labels that models compute, or whatever column is named.
std::vector<LabelColumn> label_columns(const Plan& plan, const std::string& wanted) {
  std::vector<LabelColumn> columns;
  for (const ChainPlan& chain : plan.chains) {
    for (const StagePlan& stage : chain.stages) {
      for (const Slot slot : stage.writes) {
        const Column& column = chain.slots[slot];
        const bool fits = wanted.empty() ? stage.word == "apply" && ends_in_label(column.name)
                                         : column.name == wanted;
        if (!fits) continue;
        // A column that replaces one of the same name is what the sink sees.
        if (!wanted.empty() && !columns.empty() && columns.back().chain == &chain) {
          columns.pop_back();
        }
        columns.push_back({.chain = &chain, .slot = slot});
      }
    }
  }
  return columns;
}

StagePlan make_output(const StagePlan& original, const NodeDescriptor& node, const Column& column,
                      Slot slot) {
  StagePlan stage = original;
  stage.node = &node;
  stage.text = "to labels";
  stage.call.params.clear();
  stage.call.operands = {{.role = "key",
                          .expression = {.kind = Expression::Kind::Meta,
                                         .type = {.scalar = ScalarType::Bytes, .optional = true},
                                         .meta = MetaField::Key,
                                         .text = "meta.key"}},
                         {.role = "value",
                          .expression = {.kind = Expression::Kind::Column,
                                         .type = column.type,
                                         .slot = slot,
                                         .text = column.name}}};
  return stage;
}

}  // namespace

std::expected<Plan, std::string> make_evaluation_plan(const Plan& plan,
                                                      const NodeRegistry& registry,
                                                      const std::string& label) {
  const std::vector<LabelColumn> columns = label_columns(plan, label);
  if (columns.empty()) {
    return std::unexpected(
        label.empty() ? std::string{"no `apply` of the file has a label; say which column to "
                                    "compare with --label"}
                      : fmt::format("no chain of the file has the column `{}`", label));
  }
  if (columns.size() > 1) {
    std::vector<std::string> names;
    for (const LabelColumn& column : columns) {
      names.push_back(column.chain->slots[column.slot].name);
    }
    return std::unexpected(fmt::format("{} columns could be compared: {}; say which with --label",
                                       columns.size(), fmt::join(names, ", ")));
  }
  const auto& [chain, slot] = columns.front();
  const Column& column = chain->slots[slot];
  if (column.type.is_vector()) {
    return std::unexpected(
        fmt::format("the column `{}` is `{}`, not one label", column.name, to_string(column.type)));
  }
  Plan evaluated;
  evaluated.file = plan.file;
  evaluated.models = plan.models;
  evaluated.sources = {plan.sources[*chain->inputs[0].source]};
  evaluated.sinks = {plan.sinks[*chain->sink]};
  ChainPlan& made = evaluated.chains.emplace_back(*chain);
  made.inputs = {{.source = 0}};
  made.sink = 0;
  made.stages.back() =
      make_output(chain->stages.back(), *registry.find(NodeRole::Stage, "to"), column, slot);
  for (StagePlan& stage : made.stages) {
    stage.on_error = {.action = ErrorPolicy::Action::Sink, .sink = 0};
  }
  return evaluated;
}

}  // namespace kaspar::cli
