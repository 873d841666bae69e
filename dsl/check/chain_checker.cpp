#include "dsl/check/chain_checker.hpp"

#include <fmt/format.h>

#include <utility>

namespace kaspar::dsl {
namespace {

std::string_view kind_name(Definition::Kind kind) {
  switch (kind) {
    case Definition::Kind::Source:
      return "source";
    case Definition::Kind::Sink:
      return "sink";
    case Definition::Kind::Model:
      return "model";
    case Definition::Kind::Schema:
      return "schema";
    default:
      return "name";
  }
}

class ChainChecker {
 public:
  ChainChecker(const ast::Chain& chain, ChainContext& context)
      : chain_(chain), context_(context), report_(context.report) {
    const Position place = report_.source().position(chain.from.begin);
    plan_.place = {.file = report_.source().path(), .line = place.line, .column = place.column};
  }

  ChainPlan run(bool damaged) {
    if (chain_.merge) {
      report_.unavailable(chain_.from, "`merge`");
      damaged = true;
    } else if (!chain_.inputs.empty() && !chain_.inputs[0].empty()) {
      if (const auto* source =
              context_.definitions.find(chain_.inputs[0], Definition::Kind::Source, report_)) {
        plan_.inputs.push_back({.source = source->index});
      }
    }
    bool ended = false;
    for (const ast::Stage& stage : chain_.stages) {
      if (ended && stage.damaged) continue;
      if (ended) {
        report_.error(DiagnosticCode::K0101, stage.word.span, "nothing follows a `to`",
                      "write another chain `from` the same source");
        break;
      }
      check_stage(stage);
      ended = stage.word.text == "to" || stage.word.text == "route";
      damaged = damaged || stage.damaged;
    }
    if (!ended && !damaged) {
      report_.error(DiagnosticCode::K0502, chain_.from, "a chain without a sink",
                    "end it with `|> to SINK`");
    }
    report_unhandled();
    return std::move(plan_);
  }

 private:
  void check_stage(const ast::Stage& stage) {
    if (stage.damaged) {
      lose(stage);
      return;
    }
    const std::string& word = stage.word.text;
    const bool parse = word == "parse";
    const NodeDescriptor* node = context_.registry.find(parse ? NodeRole::Parse : NodeRole::Stage,
                                                        parse ? stage.format.text : word);
    if (node == nullptr) {
      if (parse) {
        report_.unknown(stage.format.span, "format", stage.format.text,
                        context_.registry.names(NodeRole::Parse));
      } else {
        report_.unavailable(stage.word.span, fmt::format("`{}`", word));
      }
      lose(stage);
      return;
    }
    StagePlan plan{.word = word, .node = node};
    plan.text = std::string{report_.source().text({stage.word.span.begin, text_end(stage)})};
    const Position place = report_.source().position(stage.word.span.begin);
    plan.place = {.file = report_.source().path(), .line = place.line, .column = place.column};
    std::vector<Span> operand_spans;
    CheckedOptions options =
        check_options(stage.options, *node, stage.word.span, &scope_, context_.directory, report_);
    const bool fine = fill(stage, plan.call, operand_spans) && options.fine;
    for (Operand& operand : options.operands) {
      operand_spans.push_back(options.values[operand.role.substr(0, operand.role.find('.'))]);
      plan.call.operands.push_back(std::move(operand));
    }
    plan.call.params = std::move(options.params);
    plan.call.input = scope_.columns;
    plan.call.input_slots = scope_.slots;
    std::optional<ErrorPolicy> own;
    if (stage.on_error && !stage.on_error->empty()) {
      own = check_target(*stage.on_error, context_.definitions, report_);
    }
    if (!fine || scope_.unknown) {
      lose(stage);
      return;
    }
    auto inferred = node->infer(plan.call);
    if (!inferred) {
      report_issue(inferred.error(), stage, operand_spans, options.values);
      // That a column may be null is said once: the way out is before this stage.
      const IssuePlace& fault = inferred.error().place;
      if (inferred.error().code == DiagnosticCode::K0301 &&
          fault.part == IssuePlace::Part::Operand && fault.index < plan.call.operands.size()) {
        scope_.poisoned.insert(plan.call.operands[fault.index].expression.text);
      }
      lose(stage);
      return;
    }
    plan.fallible = inferred->fallible || refuses(stage);
    plan.resource = inferred->resource;
    if (inferred->replaces_all) scope_ = {};
    for (const Column& column : inferred->columns) {
      const Slot slot = static_cast<Slot>(plan_.slots.size());
      plan_.slots.push_back(column);
      plan.writes.push_back(slot);
      scope_.define(column, slot);
    }
    if (own) {
      plan.on_error = *own;
    } else if (context_.on_error) {
      plan.on_error = *context_.on_error;
    } else if (plan.fallible && !context_.on_error_given && !stage.on_error) {
      unhandled_.push_back(stage.word);
    }
    plan_.stages.push_back(std::move(plan));
  }

  /// What the stage would have defined has an unknown type.
  void lose(const ast::Stage& stage) {
    if (stage.word.text == "apply" || stage.word.text == "vector") {
      if (!stage.column.empty()) {
        scope_.poisoned.insert(stage.column.text);
        return;
      }
    }
    if (stage.word.text == "standardize" || stage.word.text == "to") return;  // defines no new name
    scope_.unknown = true;
  }

  [[nodiscard]] static std::uint32_t text_end(const ast::Stage& stage) {
    for (const ast::Name* name : {&stage.sink, &stage.schema}) {
      if (!name->empty()) return name->span.end;
    }
    if (stage.word.text == "standardize" && stage.file) return stage.file->span.end;
    if (!stage.column.empty()) return stage.column.span.end;
    return stage.word.span.end;
  }

  /// Operands and names of the stage; false if something in it is wrong or hangs on something
  /// damaged.
  bool fill(const ast::Stage& stage, StageCall& call, std::vector<Span>& spans) {
    bool fine = true;
    const std::string& word = stage.word.text;
    if (word == "parse") {
      const Definition* schema =
          context_.definitions.find(stage.schema, Definition::Kind::Schema, report_);
      if (schema == nullptr || schema->damaged) return false;
      call.schema = context_.definitions.schemas[schema->index];
    }
    if (word == "standardize") {
      ast::Node column;
      column.kind = ast::Node::Kind::Name;
      column.span = stage.column.span;
      column.text = stage.column.text;
      fine = add_operand(column, call, spans);
    }
    for (const ast::NodePtr& operand : stage.operands)
      fine = add_operand(*operand, call, spans) && fine;
    if (word == "apply" || word == "vector") call.name = stage.column.text;
    if (call.name == "meta") {
      report_.error(DiagnosticCode::K0202, stage.column.span, "`meta` names no column");
      fine = false;
    }
    if (word == "apply") {
      const Definition* model =
          context_.definitions.find(stage.model, Definition::Kind::Model, report_);
      if (model == nullptr || model->damaged) return false;
      call.model = context_.plan.models[model->index].resource;
      model_ = model->index;
    }
    if (word == "to") {
      const Definition* sink =
          context_.definitions.find(stage.sink, Definition::Kind::Sink, report_);
      if (sink == nullptr || sink->damaged) return false;
      plan_.sink = sink->index;
    }
    if (stage.file) {
      if (stage.file->kind != ast::Node::Kind::String) return false;
      call.file =
          path_from(context_.directory, std::get<StringLiteral>(stage.file->literal).text());
    }
    return fine;
  }

  bool add_operand(const ast::Node& node, StageCall& call, std::vector<Span>& spans) {
    std::optional<Expression> expression = resolve(node, scope_, report_);
    spans.push_back(node.span);
    if (!expression) {
      say_once(node);
      return false;
    }
    call.operands.push_back({.role = {}, .expression = std::move(*expression)});
    return true;
  }

  /// An unknown column was reported, and is not again in this chain.
  void say_once(const ast::Node& node) {
    const ast::Node& whole = node.kind == ast::Node::Kind::Member ? *node.children[0] : node;
    if (whole.kind != ast::Node::Kind::Name) return;
    for (const Column& column : scope_.columns.columns) {
      if (column.name.substr(0, column.name.find('.')) == whole.text) return;
    }
    scope_.poisoned.insert(whole.text);
  }

  /// Only Kafka sinks refuse a record.
  [[nodiscard]] bool refuses(const ast::Stage& stage) const {
    return stage.word.text == "to" && context_.plan.sinks[*plan_.sink].node != nullptr &&
           context_.plan.sinks[*plan_.sink].node->name == "kafka";
  }

  void report_issue(const Issue& issue, const ast::Stage& stage, const std::vector<Span>& operands,
                    const std::map<std::string, Span>& options) {
    Span span = stage.word.span;
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
          const auto& values = context_.definitions.model_options[*model_];
          if (const auto found = values.find(issue.place.name); found != values.end())
            span = found->second;
        }
        break;
      case IssuePlace::Part::File:
        if (stage.file) span = stage.file->span;
        break;
      case IssuePlace::Part::Schema:
        if (!stage.schema.empty()) span = stage.schema.span;
        break;
    }
    report_.add({.code = issue.code,
                 .span = span,
                 .message = issue.message,
                 .label = issue.label,
                 .notes = issue.notes,
                 .help = issue.help});
  }

  void report_unhandled() {
    if (unhandled_.empty()) return;
    std::vector<RelatedSpan> others;
    for (std::size_t i = 1; i < unhandled_.size(); ++i) {
      others.push_back({unhandled_[i].span, "so can rows here"});
    }
    report_.error(
        DiagnosticCode::K0601, unhandled_[0].span,
        "rows can fail here and nothing says where they go",
        "add `on error SINK`, or `else SINK` to the stage; `drop` and `fail` are possible too",
        std::move(others));
  }

  const ast::Chain& chain_;
  ChainContext& context_;
  Report& report_;
  ChainPlan plan_;
  Scope scope_;
  std::vector<ast::Name> unhandled_;
  std::optional<std::size_t> model_;
};

}  // namespace

Definition* Definitions::find(const ast::Name& name, Definition::Kind kind, Report& report) {
  const auto found = by_name.find(name.text);
  if (found != by_name.end() && found->second.kind == kind) {
    found->second.used = true;
    return &found->second;
  }
  if (found != by_name.end() && found->second.kind == Definition::Kind::Other)
    return nullptr;  // reported
  std::vector<std::string_view> names;
  for (const auto& [other, definition] : by_name) {
    if (definition.kind == kind) names.push_back(other);
  }
  std::vector<RelatedSpan> related;
  if (found != by_name.end()) {
    found->second.used = true;
    related.push_back({found->second.span,
                       fmt::format("`{}` is a {}", name.text, kind_name(found->second.kind))});
  }
  report.unknown(name.span, kind_name(kind), name.text, names, {}, std::move(related));
  return nullptr;
}

std::optional<ErrorPolicy> check_target(const ast::Name& target, Definitions& definitions,
                                        Report& report) {
  if (target.text == "drop") return ErrorPolicy{.action = ErrorPolicy::Action::Drop};
  if (target.text == "fail") return ErrorPolicy{.action = ErrorPolicy::Action::Fail};
  const Definition* sink = definitions.find(target, Definition::Kind::Sink, report);
  if (sink == nullptr) return std::nullopt;
  return ErrorPolicy{.action = ErrorPolicy::Action::Sink, .sink = sink->index};
}

ChainPlan check_chain(const ast::Chain& chain, bool damaged, ChainContext& context) {
  return ChainChecker(chain, context).run(damaged);
}

}  // namespace kaspar::dsl
