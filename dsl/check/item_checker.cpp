#include "dsl/check/item_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "dsl/check/constants.hpp"
#include "dsl/check/functions.hpp"
#include "dsl/check/schema_checker.hpp"

namespace kaspar::dsl {
namespace {

const ParamDescriptor deliver_param{.name = "deliver",
                                    .kind = ParamKind::Word,
                                    .summary = "whether rows may be lost here",
                                    .words = {"best_effort"}};
const ParamDescriptor queue_param{.name = "queue",
                                  .kind = ParamKind::Integer,
                                  .summary = "rows that wait for a best-effort sink below a fork",
                                  .default_text = "10000"};

}  // namespace

void ItemChecker::define() {
  for (std::size_t i = 0; i < file_.file.items.size(); ++i) {
    const ast::Item& item = file_.file.items[i];
    if (belongs(item)) define_item(i, item);
  }
}

/// A used file holds only what others can name.
bool ItemChecker::belongs(const ast::Item& item) {
  if (main_) return true;
  const bool fits = std::holds_alternative<ast::Use>(item.data) ||
                    std::holds_alternative<ast::Schema>(item.data) ||
                    std::holds_alternative<ast::Function>(item.data) ||
                    std::holds_alternative<ast::Model>(item.data) ||
                    std::holds_alternative<ast::Param>(item.data) ||
                    std::holds_alternative<ast::UnknownItem>(item.data);
  if (!fits && !item.damaged) {
    report_.error(DiagnosticCode::K0101, item.span,
                  fmt::format("a file that another one uses holds no `{}`",
                              file_.file.source->text(item.span)),
                  "it holds `use`, `schema`, `fn`, `model` and `param` only");
  }
  return fits;
}

void ItemChecker::enter(const ast::Item& item, const ast::Name& name, Definition::Kind kind,
                        std::size_t index) {
  file_.enter(name, {.kind = kind, .index = index, .damaged = item.damaged});
}

void ItemChecker::define_item(std::size_t index, const ast::Item& item) {
  if (const auto* param = std::get_if<ast::Param>(&item.data)) {
    enter(item, param->name, Definition::Kind::Param, program_.params.size());
    program_.params.push_back({.written = param, .file = &file_});
    if (item.damaged) program_.params.back().state = CheckState::Checked;
  } else if (const auto* schema = std::get_if<ast::Schema>(&item.data)) {
    enter(item, schema->name, Definition::Kind::Schema, program_.schemas.size());
    program_.schemas.emplace_back();
  } else if (const auto* function = std::get_if<ast::Function>(&item.data)) {
    if (program_.registry.find_function(function->name.text) != nullptr) {
      report_.error(DiagnosticCode::K0202, function->name.span,
                    fmt::format("`{}` is a function of the language", function->name.text),
                    "choose another name");
      file_.enter(function->name,
                  {.kind = Definition::Kind::Unknown, .damaged = true, .used = true});
      return;
    }
    enter(item, function->name, Definition::Kind::Function, program_.functions.size());
    program_.functions.push_back({.written = function, .file = &file_});
    if (item.damaged) program_.functions.back().state = CheckState::Checked;
  } else if (const auto* model = std::get_if<ast::Model>(&item.data)) {
    enter(item, model->name, Definition::Kind::Model, program_.models.size());
    program_.models.emplace_back();
  } else if (const auto* written = std::get_if<ast::Endpoint>(&item.data)) {
    auto& endpoints = written->source ? program_.plan.sources : program_.plan.sinks;
    enter(item, written->name, written->source ? Definition::Kind::Source : Definition::Kind::Sink,
          endpoints.size());
    endpoints.push_back({.name = written->name.text,
                         .node = nullptr,
                         .params = {},
                         .place = place_of(file_, written->name.span)});
    (written->source ? program_.source_texts : program_.sink_texts).emplace_back();
  } else if (const auto* chain = std::get_if<ast::Chain>(&item.data)) {
    if (!chain->stream.empty()) {
      enter(item, chain->stream, Definition::Kind::Stream, program_.streams.size());
      program_.streams.push_back({.item = index, .span = chain->stream.span});
    }
    define_route(index, *chain);
  } else if (const auto* unknown = std::get_if<ast::UnknownItem>(&item.data)) {
    file_.enter(unknown->name, {.kind = Definition::Kind::Unknown, .damaged = true, .used = true});
  }
}

/// The streams that the arms of a chain's `route` name.
void ItemChecker::define_route(std::size_t index, const ast::Chain& chain) {
  for (const ast::Stage& stage : chain.stages) {
    std::set<std::string> own;  // arms may share a stream
    for (std::size_t arm = 0; arm < stage.arms.size(); ++arm) {
      const ast::Name& target = stage.arms[arm].target;
      if (target.empty() || target.text == "drop" || !own.insert(target.text).second) continue;
      const bool fresh = file_.enter(target, {.kind = Definition::Kind::Stream,
                                              .index = program_.streams.size(),
                                              .damaged = stage.damaged});
      if (!fresh) continue;
      program_.streams.push_back(
          {.item = index, .arm = true, .arm_index = arm, .span = target.span});
    }
  }
}

/// What this item defined; nothing if its name belongs to another.
Definition* ItemChecker::entered(const ast::Name& name) {
  const auto found = file_.by_name.find(name.text);
  return found != file_.by_name.end() && found->second.span == name.span ? &found->second : nullptr;
}

void ItemChecker::check() {
  for (std::size_t i = 0; i < program_.params.size(); ++i) {
    if (program_.params[i].file == &file_) (void)checked_param(program_, i);
  }
  for (const ast::Item& item : file_.file.items) {
    if (const auto* written = std::get_if<ast::Schema>(&item.data)) {
      bool fine = !item.damaged;
      SchemaDefinition schema = check_schema(*written, file_, fine);
      if (Definition* definition = entered(written->name)) {
        definition->damaged = !fine;
        program_.schemas[definition->index] = std::move(schema);
      }
    } else if (const auto* function = std::get_if<ast::Function>(&item.data)) {
      if (const Definition* definition = entered(function->name);
          definition != nullptr && definition->kind == Definition::Kind::Function) {
        check_function(program_, definition->index);
      }
    } else if (const auto* endpoint_item = std::get_if<ast::Endpoint>(&item.data)) {
      if (main_) endpoint(item, *endpoint_item);
    } else if (const auto* model_item = std::get_if<ast::Model>(&item.data)) {
      model(item, *model_item);
    }
  }
}

void ItemChecker::endpoint(const ast::Item& item, const ast::Endpoint& written) {
  Definition* definition = entered(written.name);
  auto& texts = written.source ? program_.source_texts : program_.sink_texts;
  EndpointPlan unnamed;
  EndpointText unnamed_text;
  auto& endpoints = written.source ? program_.plan.sources : program_.plan.sinks;
  EndpointPlan& endpoint = definition != nullptr ? endpoints[definition->index] : unnamed;
  EndpointText& text = definition != nullptr ? texts[definition->index] : unnamed_text;
  bool damaged = item.damaged;
  if (!written.kind.empty()) {
    const NodeRole role = written.source ? NodeRole::Source : NodeRole::Sink;
    endpoint.node = program_.registry.find(role, written.kind.text);
    if (endpoint.node == nullptr) {
      damaged = true;
      report_.unknown(written.kind.span, written.source ? "kind of source" : "kind of sink",
                      written.kind.text, program_.registry.names(role));
    } else if (!item.damaged) {
      damaged = !check_endpoint(written, endpoint, text);
    }
  }
  if (definition != nullptr) definition->damaged = damaged;
}

bool ItemChecker::check_endpoint(const ast::Endpoint& written, EndpointPlan& endpoint,
                                 EndpointText& text) {
  std::vector<ParamDescriptor> params = endpoint.node->params;
  if (!written.source) {
    params.push_back(deliver_param);
    params.push_back(queue_param);
  }
  CheckedOptions options = check_options(
      written.options, {.name = endpoint.node->name, .span = written.kind.span, .params = params},
      nullptr, program_, file_);
  endpoint.params = std::move(options.params);
  text = {.source = file_.file.source, .kind = written.kind.span, .options = options.values};
  if (!written.source) options.fine = best_effort(options, endpoint) && options.fine;
  if (endpoint.node->check_endpoint != nullptr) {
    const bool whole = options.fine;
    for (const Issue& issue : endpoint.node->check_endpoint(endpoint.params)) {
      // What is missing or of another kind is reported already; the others are judged all the same.
      const std::string option = issue.place.name.substr(0, issue.place.name.find('.'));
      if (!whole && !endpoint.params.contains(option)) continue;
      const auto value = options.values.find(issue.place.name);
      add_issue(issue, value == options.values.end() ? written.kind.span : value->second);
      options.fine = false;
    }
  }
  // A file's path is relative to the pipeline's file.
  if (const auto path = endpoint.params.find("path"); path != endpoint.params.end()) {
    if (const auto* name = path->second.get<std::string>())
      path->second = {path_from(file_.directory, *name)};
  }
  if (!options.fine || !known_cluster(options, endpoint)) return false;
  std::vector<Named>& named = written.source ? read_ : written_;
  if (const auto topic = options.values.find("topic"); topic != options.values.end()) {
    named.push_back({.cluster = string_param(endpoint.params, "cluster"),
                     .name = string_param(endpoint.params, "topic"),
                     .span = topic->second});
  }
  if (const auto path = options.values.find("path"); path != options.values.end()) {
    const std::filesystem::path name{string_param(endpoint.params, "path")};
    named.push_back({.file = true, .name = name.lexically_normal().string(), .span = path->second});
  }
  return !written.source || same_group(options, endpoint);
}

/// Clusters are defined by the profile.
bool ItemChecker::known_cluster(const CheckedOptions& options, const EndpointPlan& endpoint) {
  const auto written = options.values.find("cluster");
  if (written == options.values.end() || !program_.clusters) return true;
  const std::string name = string_param(endpoint.params, "cluster");
  if (std::ranges::find(*program_.clusters, name) != program_.clusters->end()) return true;
  Diagnostic diagnostic{.code = DiagnosticCode::K0201,
                        .span = written->second,
                        .message = fmt::format("no profile defines the cluster `{}`", name)};
  const std::string_view meant =
      did_you_mean(name, {program_.clusters->begin(), program_.clusters->end()});
  if (meant.empty()) {
    diagnostic.help = fmt::format("say where it is below `[clusters.{}]` in the profile", name);
  } else {
    diagnostic.help = fmt::format("did you mean `{}`?", meant);
    diagnostic.fixes.push_back(
        {written->second, fmt::format("\"{}\"", meant), fmt::format("write `\"{}\"`", meant)});
  }
  report_.add(std::move(diagnostic));
  return false;
}

/// Whether rows may be lost at the sink; these options are no matter of its node.
bool ItemChecker::best_effort(CheckedOptions& options, EndpointPlan& endpoint) {
  endpoint.best_effort = endpoint.params.erase("deliver") != 0;
  const auto queue = endpoint.params.find("queue");
  if (queue == endpoint.params.end()) return true;
  const std::int64_t rows = *queue->second.get<std::int64_t>();
  endpoint.params.erase(queue);
  const auto written = options.values.find("queue");
  if (written == options.values.end()) return true;
  constexpr std::int64_t most_rows = 100'000'000;
  if (rows < 1 || rows > most_rows) {
    report_.error(DiagnosticCode::K0302, written->second,
                  fmt::format("a queue holds from 1 to {} rows", most_rows));
    return false;
  }
  if (!endpoint.best_effort) {
    report_.error(DiagnosticCode::K0302, written->second,
                  "only a best-effort sink has a queue that drops rows",
                  "add `deliver: best_effort`, or leave the queue out");
    return false;
  }
  endpoint.queue = static_cast<std::size_t>(rows);
  return true;
}

/// All sources of consumer groups share one consumer.
bool ItemChecker::same_group(const CheckedOptions& options, const EndpointPlan& endpoint) {
  const auto written = options.values.find("group");
  if (written == options.values.end()) return true;
  const std::string group = string_param(endpoint.params, "group");
  const std::string cluster = string_param(endpoint.params, "cluster");
  const auto on = options.values.find("cluster");
  const Span place = on == options.values.end() ? written->second : on->second;
  if (!group_) {
    group_ = {group, written->second};
    cluster_ = {cluster, place};
  } else if (cluster_.first != cluster) {
    report_.error(DiagnosticCode::K0602, place,
                  "the sources of a file are read by one consumer, from one cluster",
                  "read one of them in a file of its own",
                  {{cluster_.second, "the other source is on another cluster"}});
  } else if (group_->first != group) {
    report_.error(DiagnosticCode::K0602, written->second,
                  fmt::format("the sources of a file are read by one consumer, in one group, but "
                              "here are `{}` and `{}`",
                              group_->first, group),
                  "give both sources the same group, or write two files",
                  {{group_->second, "the other group is given here"}});
  }
  return true;
}

void ItemChecker::add_issue(const Issue& issue, Span span) {
  report_.add({.code = issue.code,
               .span = span,
               .message = issue.message,
               .label = issue.label,
               .notes = issue.notes,
               .help = issue.help});
}

void ItemChecker::model(const ast::Item& item, const ast::Model& written) {
  ModelPlan model{.name = written.name.text,
                  .node = nullptr,
                  .path = {},
                  .resource = nullptr,
                  .place = place_of(file_, written.name.span)};
  ModelDefinition made;
  const bool damaged = item.damaged || !load(written, model, made);
  Definition* definition = entered(written.name);
  if (definition == nullptr || definition->kind != Definition::Kind::Model) return;
  definition->damaged = damaged;
  made.index = program_.plan.models.size();
  program_.models[definition->index] = std::move(made);
  program_.plan.models.push_back(std::move(model));
}

bool ItemChecker::load(const ast::Model& written, ModelPlan& model, ModelDefinition& definition) {
  model.node = program_.registry.find(NodeRole::Model, written.format.text);
  if (model.node == nullptr) {
    report_.unknown(written.format.span, "format of models", written.format.text,
                    program_.registry.names(NodeRole::Model));
    return false;
  }
  CheckedOptions options = check_options(
      written.options,
      {.name = model.node->name, .span = written.format.span, .params = model.node->params},
      nullptr, program_, file_);
  definition.options = options.values;
  auto path = interpolated(std::get<StringLiteral>(written.file->literal), program_, file_);
  if (!options.fine || !path) return false;
  model.path = path_to_read(program_, file_, *path);
  auto loaded = model.node->load_model(model.path, options.params, program_.memory_budget);
  if (loaded) {
    model.resource = *loaded;
    return true;
  }
  const Issue& issue = loaded.error();
  const auto option = issue.place.part == IssuePlace::Part::Param
                          ? definition.options.find(issue.place.name)
                          : definition.options.end();
  add_issue(issue, option == definition.options.end() ? written.file->span : option->second);
  return false;
}

}  // namespace kaspar::dsl
