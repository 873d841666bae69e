#include "dsl/check/stage_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dsl/check/constants.hpp"

namespace kaspar::dsl {
namespace {

using Kind = Expression::Kind;

/// Where the text of a stage ends that names it in prints: "parse csv as Window".
std::uint32_t text_end(const ast::Stage& stage) {
  for (const ast::Name* name : {&stage.sink, &stage.schema}) {
    if (!name->empty()) return name->span.end;
  }
  const std::string& word = stage.word.text;
  if (word == "standardize" && stage.file) return stage.file->span.end;
  if (word == "filter" && !stage.operands.empty()) return stage.operands.back()->span.end;
  if (!stage.column.empty()) return stage.column.span.end;
  return stage.word.span.end;
}

}  // namespace

void StageChecker::run() {
  if (stage_.damaged) return lose();
  const NodeDescriptor* node = find_node();
  check_policy();
  if (node == nullptr) return lose();
  const std::string& word = stage_.word.text;
  if (word == "filter") return filter(*node);
  if (word == "derive") return derive(*node);
  if (word == "keep") return keep(*node);
  if (word == "route") return route(*node);
  general(*node);
}

const NodeDescriptor* StageChecker::find_node() {
  const bool parse = stage_.word.text == "parse";
  const NodeDescriptor* node = program_.registry.find(
      parse ? NodeRole::Parse : NodeRole::Stage, parse ? stage_.format.text : stage_.word.text);
  if (node == nullptr && !parse) {
    report_.error(DiagnosticCode::K0101, stage_.word.span,
                  fmt::format("`{}` is not available in this version of kaspar", stage_.word.text));
  }
  if (node == nullptr && parse) {
    report_.unknown(stage_.format.span, "format", stage_.format.text,
                    program_.registry.names(NodeRole::Parse));
    // The schema is no less named for that.
    const auto schema = file_.by_name.find(stage_.schema.text);
    if (schema != file_.by_name.end()) schema->second.used = true;
  }
  return node;
}

void StageChecker::check_policy() {
  if (stage_.on_error && !stage_.on_error->empty()) {
    own_ = check_target(program_, file_, *stage_.on_error);
  }
}

/// What the stage would have defined has an unknown type.
void StageChecker::lose() {
  const std::string& word = stage_.word.text;
  chain_.damaged = true;
  if ((word == "apply" || word == "vector") && !stage_.column.empty()) {
    scope_.remove(stage_.column.text);
    scope_.poisoned.insert(stage_.column.text);
    return;
  }
  if (word == "filter") {
    // It may have excluded null.
    for (const Column& column : scope_.columns.columns) {
      if (column.type.optional) scope_.poisoned.insert(column.name);
    }
    return;
  }
  if (word == "standardize" || word == "to" || word == "route") return;  // they define no name
  scope_.unknown = true;
}

Slot StageChecker::add_slot(const Column& column) {
  const Slot slot = static_cast<Slot>(chain_.plan.slots.size());
  chain_.plan.slots.push_back(column);
  return slot;
}

StagePlan StageChecker::planned(const NodeDescriptor& node) const {
  StagePlan plan{.word = stage_.word.text, .node = &node};
  plan.text = std::string{file_.file.source->text({stage_.word.span.begin, text_end(stage_)})};
  plan.place = place_of(file_, stage_.word.span);
  return plan;
}

/// Gives the stage its error policy and adds it to the plan.
void StageChecker::finish(StagePlan plan, bool fallible) {
  if (own_) {
    plan.on_error = *own_;
  } else if (on_error_.policy) {
    plan.on_error = *on_error_.policy;
  }
  const bool said = own_ || stage_.on_error || on_error_.given;
  if (fallible && !said &&
      (chain_.unhandled.empty() || chain_.unhandled.back().span != stage_.word.span)) {
    chain_.unhandled.push_back(stage_.word);
  }
  plan.fallible = fallible;
  chain_.plan.stages.push_back(std::move(plan));
}

bool StageChecker::operand(const ast::Node& node, std::vector<Placed>& operands) {
  std::optional<Expression> expression = expressions_.optional(node);
  if (!expression) return false;
  operands.push_back({{.role = {}, .expression = std::move(*expression)}, node.span});
  return true;
}

void StageChecker::compute(std::vector<Placed>& operands, bool& fallible) {
  const NodeDescriptor* derive = program_.registry.find(NodeRole::Stage, "derive");
  if (derive == nullptr) return;
  StagePlan plan = planned(*derive);
  plan.implicit = true;
  for (auto& [operand, span] : operands) {
    Expression& expression = operand.expression;
    if (is_leaf(expression)) continue;
    const Slot slot = add_slot({.name = {}, .type = expression.type});
    plan.writes.push_back(slot);
    Expression leaf{
        .kind = Kind::Column, .type = expression.type, .slot = slot, .text = expression.text};
    plan.call.operands.push_back({.role = {}, .expression = std::move(expression)});
    expression = std::move(leaf);
  }
  if (plan.call.operands.empty()) return;
  plan.text = "compute";
  for (const Operand& operand : plan.call.operands) plan.text += " " + operand.expression.text;
  const auto inferred = derive->infer(plan.call);
  if (!inferred) return;  // what could be wrong was checked
  plan.resource = inferred->resource;
  fallible = fallible || inferred->fallible;
  finish(std::move(plan), inferred->fallible);
}

void StageChecker::filter(const NodeDescriptor& node) {
  StagePlan plan = planned(node);
  auto condition = expressions_.filter(*stage_.operands.front());
  if (!condition) return lose();
  plan.call.operands.push_back({.role = {}, .expression = std::move(*condition)});
  const auto inferred = infer(node, plan.call, {stage_.operands.front()->span}, {});
  if (!inferred) return lose();
  plan.resource = inferred->resource;
  finish(std::move(plan), inferred->fallible);
}

bool StageChecker::column_name(const ast::Name& name) {
  if (name.text != "meta") return true;
  report_.error(DiagnosticCode::K0202, name.span, "`meta` names no column", "choose another name");
  return false;
}

void StageChecker::derive(const NodeDescriptor& node) {
  StagePlan plan = planned(node);
  bool fine = true;
  std::vector<Span> spans;
  for (const ast::Entry& entry : stage_.columns) {
    if (entry.name.empty() || !entry.value) continue;
    auto expression = expressions_.present(*entry.value);
    if (expression && expression->type.is_vector() && !is_leaf(*expression)) {
      report_.error(DiagnosticCode::K0302, entry.value->span, "no vector is computed by `derive`",
                    "name a vector by `|> vector v = […]`");
      expression.reset();
    }
    if (!column_name(entry.name) || !expression) {
      fine = false;
      scope_.remove(entry.name.text);
      scope_.poisoned.insert(entry.name.text);
      continue;
    }
    const Column column{.name = entry.name.text, .type = expression->type};
    const Slot slot = add_slot(column);
    plan.writes.push_back(slot);
    spans.push_back(entry.value->span);
    plan.call.operands.push_back({.role = column.name, .expression = std::move(*expression)});
    scope_.define(column, slot);
  }
  if (!fine) {
    chain_.damaged = true;
    return;
  }
  const auto inferred = infer(node, plan.call, spans, {});
  if (!inferred) return lose();
  plan.resource = inferred->resource;
  finish(std::move(plan), inferred->fallible);
}

void StageChecker::keep(const NodeDescriptor& node) {
  StagePlan plan = planned(node);
  Scope kept;
  kept.present = scope_.present;
  kept.unknown = scope_.unknown;
  std::set<std::string> named;
  std::set<std::string> meant;
  for (const ast::Entry& entry : stage_.columns) {
    const std::string& name = entry.name.text;
    if (name.empty()) continue;
    if (!named.insert(name).second) {
      report_.error(DiagnosticCode::K0202, entry.name.span,
                    fmt::format("column `{}` is named twice", name), "name it once");
      chain_.damaged = true;
      continue;
    }
    if (!scope_.has(name)) {
      chain_.damaged = true;
      kept.poisoned.insert(name);
      if (scope_.unknown || scope_.poisoned.contains(name)) continue;
      if (name == "meta") {
        report_.error(DiagnosticCode::K0202, entry.name.span, "`meta` is always kept",
                      "leave it out");
        continue;
      }
      std::vector<std::string_view> names;
      for (const Column& column : scope_.columns.columns) {
        const std::string_view whole =
            std::string_view(column.name).substr(0, column.name.find('.'));
        if (names.empty() || names.back() != whole) names.push_back(whole);
      }
      report_.unknown(entry.name.span, "column", name, names);
      meant.emplace(did_you_mean(name, names));
      continue;
    }
    if (scope_.poisoned.contains(name)) kept.poisoned.insert(name);
    for (std::size_t i = 0; i < scope_.columns.columns.size(); ++i) {
      const Column& column = scope_.columns.columns[i];
      if (std::string_view(column.name).substr(0, column.name.find('.')) != name) continue;
      kept.columns.columns.push_back(column);
      kept.slots.push_back(scope_.slots[i]);
    }
  }
  for (const std::string& name : meant) {
    if (!name.empty() && !kept.has(name)) kept.poisoned.insert(name);  // misspelt, it was reported
  }
  scope_ = std::move(kept);
  finish(std::move(plan), false);
}

void StageChecker::route(const NodeDescriptor& node) {
  StagePlan plan = planned(node);
  Expression arms{.kind = Kind::Case, .type = {.scalar = ScalarType::I64}};
  std::map<std::string, std::int64_t> first;  // the arm that a stream's rows are numbered by
  bool fine = true;
  std::int64_t number = 0;
  for (const ast::RouteArm& arm : stage_.arms) {
    Expression index{.kind = Kind::Literal, .type = {.scalar = ScalarType::I64}};
    const auto place = arm.target.text == "drop"
                           ? number
                           : first.try_emplace(arm.target.text, number).first->second;
    index.literal = {place};
    index.text = arm.target.text;
    if (arm.condition) {
      auto condition = expressions_.condition(*arm.condition, "the condition of an arm");
      fine = fine && condition;
      if (condition) arms.children.push_back(std::move(*condition));
    }
    arms.children.push_back(std::move(index));
    ++number;
  }
  if (!fine || arms.children.empty()) return lose();
  arms.text = "route";
  if (arms.children.size() == 1) arms = Expression{std::move(arms.children.front())};
  plan.call.operands.push_back({.role = {}, .expression = std::move(arms)});
  const auto inferred = infer(node, plan.call, {stage_.word.span}, {});
  if (!inferred) return lose();
  const Slot slot = add_slot({.name = "route", .type = {.scalar = ScalarType::I64}});
  plan.writes.push_back(slot);
  plan.resource = inferred->resource;
  chain_.plan.arm = slot;
  finish(std::move(plan), inferred->fallible);
}

bool StageChecker::parse(StageCall& call) {
  const Definition* found =
      find(program_, file_, stage_.schema, {Definition::Kind::Schema}, "schema");
  if (found == nullptr || found->damaged) return false;
  const SchemaDefinition& schema = program_.schemas[found->index];
  call.schema = schema.schema;
  call.header = chain_.end.header;
  const auto refuse = [&](std::string message, std::string help) {
    report_.error(DiagnosticCode::K0302, stage_.schema.span, std::move(message), std::move(help));
    return false;
  };
  if (stage_.format.text == "json" && !schema.ranges.empty()) {
    return refuse(fmt::format("`{}` comes from several columns, as only a CSV record has them",
                              *schema.ranges.begin()),
                  "give the one path of the array: `from \"a.b\"`");
  }
  if (stage_.format.text == "csv") {
    for (const Column& column : schema.schema.columns) {
      if (column.origin.empty() || !column.type.is_vector() || schema.ranges.contains(column.name))
        continue;
      return refuse(fmt::format("`{}` takes {} columns, and its `from` names one", column.name,
                                column.type.width),
                    "name the first and the last: `from \"t0\"..\"t59\"`");
    }
  }
  return true;
}

bool StageChecker::apply(StageCall& call) {
  const Definition* found = find(program_, file_, stage_.model, {Definition::Kind::Model}, "model");
  if (found == nullptr || found->damaged) return false;
  model_ = found->index;
  call.model = program_.plan.models[program_.models[*model_].index].resource;
  return true;
}

bool StageChecker::sink() {
  const Definition* found = find(program_, file_, stage_.sink, {Definition::Kind::Sink}, "sink");
  if (found == nullptr || found->damaged) return false;
  chain_.plan.sink = found->index;
  return true;
}

void StageChecker::general(const NodeDescriptor& node) {
  const std::string& word = stage_.word.text;
  std::vector<Placed> operands;
  bool fine = true;
  if (word == "standardize") {
    ast::Node column;
    column.kind = ast::Node::Kind::Name;
    column.span = column.text_span = stage_.column.span;
    column.text = stage_.column.text;
    fine = operand(column, operands);
  }
  for (const ast::NodePtr& node_of : stage_.operands) fine = operand(*node_of, operands) && fine;
  const OptionTaker taker{.name = node.name, .span = stage_.word.span, .params = node.params};
  CheckedOptions options = check_options(stage_.options, taker, &expressions_, program_, file_);
  fine = fine && options.fine;
  StageCall call;
  if (word == "parse") fine = parse(call) && fine;
  if (word == "apply") fine = apply(call) && fine;
  if (word == "to") fine = sink() && fine;
  if (word == "apply" || word == "vector") {
    call.name = stage_.column.text;
    fine = column_name(stage_.column) && fine;
  }
  if (stage_.file) {
    if (stage_.file->kind != ast::Node::Kind::String) return lose();
    auto path = interpolated(std::get<StringLiteral>(stage_.file->literal), program_, file_);
    if (!path) return lose();
    call.file = path_to_read(program_, file_, *path);
  }
  if (!fine || (scope_.unknown && word != "parse")) return lose();

  for (std::size_t i = 0; i < options.operands.size(); ++i) {
    operands.push_back({std::move(options.operands[i]), options.places[i]});
  }
  bool fallible = false;
  std::vector<StagePlan>& stages = chain_.plan.stages;
  const std::size_t before = stages.size();
  compute(operands, fallible);
  StagePlan plan = planned(node);
  if (word == "to") {
    call.input = scope_.columns;
    call.input_slots = scope_.slots;
  }
  plan.call = std::move(call);
  plan.call.params = std::move(options.params);
  std::vector<Span> spans;
  for (Placed& placed : operands) {
    spans.push_back(placed.span);
    plan.call.operands.push_back(std::move(placed.operand));
  }
  const auto inferred = infer(node, plan.call, spans, options.values);
  if (!inferred) {
    stages.resize(before);
    return lose();
  }
  plan.resource = inferred->resource;
  const bool refused = word == "to" && program_.plan.sinks[*chain_.plan.sink].node->name == "kafka";
  if (inferred->replaces_all) {
    std::set<std::string> present = std::move(scope_.present);
    scope_ = {};
    scope_.present = std::move(present);
  }
  if (word == "apply") scope_.remove(plan.call.name);
  for (const Column& column : inferred->columns) {
    const Slot slot = add_slot(column);
    plan.writes.push_back(slot);
    scope_.define(column, slot);
  }
  finish(std::move(plan), inferred->fallible || refused);
}

std::optional<Inferred> StageChecker::infer(const NodeDescriptor& node, const StageCall& call,
                                            const std::vector<Span>& operands,
                                            const std::map<std::string, Span>& options) {
  auto inferred = node.infer(call);
  if (inferred) return std::move(*inferred);
  report_issue(inferred.error(), operands, options);
  // That a column may be null is said once: the way out is before this stage.
  const IssuePlace& fault = inferred.error().place;
  if (inferred.error().code == DiagnosticCode::K0301 && fault.part == IssuePlace::Part::Operand &&
      fault.index < call.operands.size()) {
    scope_.poisoned.insert(call.operands[fault.index].expression.text);
  }
  return std::nullopt;
}

void StageChecker::report_issue(const Issue& issue, const std::vector<Span>& operands,
                                const std::map<std::string, Span>& options) {
  Span span = stage_.word.span;
  switch (issue.place.part) {
    case IssuePlace::Part::Node:
      break;
    case IssuePlace::Part::Operand:
      if (issue.place.index < operands.size()) span = operands[issue.place.index];
      break;
    case IssuePlace::Part::Param:
      if (const auto own = options.find(issue.place.name); own != options.end()) {
        span = own->second;
      } else if (model_) {
        const auto& values = program_.models[*model_].options;
        const auto found = values.find(issue.place.name);
        if (found != values.end()) span = found->second;
      }
      break;
    case IssuePlace::Part::File:
      if (stage_.file) span = stage_.file->span;
      break;
    case IssuePlace::Part::Schema:
      if (!stage_.schema.empty()) span = stage_.schema.span;
      break;
  }
  report_.add({.code = issue.code,
               .span = span,
               .message = issue.message,
               .label = issue.label,
               .notes = issue.notes,
               .help = issue.help});
}

}  // namespace kaspar::dsl
