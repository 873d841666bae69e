#include "dsl/check/check.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "dsl/check/chain_checker.hpp"
#include "dsl/check/test_checker.hpp"

namespace kaspar::dsl {
namespace {

class Checker {
 public:
  Checker(const ast::File& file, const NodeRegistry& registry, Diagnostics& diagnostics)
      : file_(file),
        registry_(registry),
        syntax_errors_(diagnostics.has_errors()),
        report_(file.source, diagnostics),
        directory_(std::filesystem::path(file.source->path()).parent_path().string()) {
    typed_.plan.file = file.source->path();
  }

  TypedPipeline run() {
    for (const ast::Item& item : file_.items) {
      std::visit([&](const auto& data) { define(item, data); }, item.data);
    }
    for (const ast::Item& item : file_.items) {
      if (const auto* policy = std::get_if<ast::OnError>(&item.data)) on_error(item, *policy);
      if (const auto* deliver = std::get_if<ast::Deliver>(&item.data)) guarantee(item, *deliver);
    }
    bool runs = false;
    for (const ast::Item& item : file_.items) {
      const auto* chain = std::get_if<ast::Chain>(&item.data);
      if (chain == nullptr) continue;
      runs = true;
      if (!chain->stream.empty()) {
        report_.unavailable(item.span, "`stream`");
        continue;
      }
      ChainContext context{.registry = registry_,
                           .definitions = definitions_,
                           .plan = typed_.plan,
                           .directory = directory_,
                           .on_error = on_error_,
                           .on_error_given = on_error_given_,
                           .report = report_};
      typed_.plan.chains.push_back(check_chain(*chain, item.damaged, context));
    }
    // What is damaged may have been meant to run.
    if (!runs && !syntax_errors_) {
      report_.error(DiagnosticCode::K0505, file_.pipe, "nothing runs in this file",
                    "add a chain: `from SOURCE |> … |> to SINK`");
    }
    for (const ast::Item& item : file_.items) {
      if (const auto* test = std::get_if<ast::Test>(&item.data))
        check_test(*test, definitions_, directory_, report_);
    }
    feedback();
    unused();
    return std::move(typed_);
  }

 private:
  /// The value of an endpoint's option, and where it stands.
  struct Named {
    std::string name;
    Span span;
  };

  bool enter(const ast::Name& name, Definition definition) {
    if (name.empty()) return false;
    if (name.text == "meta" ||
        (definition.kind == Definition::Kind::Sink &&
         (name.text == "drop" || name.text == "fail" || name.text == "none"))) {
      report_.error(DiagnosticCode::K0202, name.span, fmt::format("`{}` is reserved", name.text),
                    "choose another name");
      return false;
    }
    definition.span = name.span;
    const auto [earlier, fresh] = definitions_.by_name.try_emplace(name.text, definition);
    if (fresh) return true;
    report_.error(DiagnosticCode::K0202, name.span, fmt::format("`{}` is defined twice", name.text),
                  {}, {{earlier->second.span, "first here"}});
    return false;
  }

  [[nodiscard]] Place place_of(const ast::Name& name) const {
    const Position place = file_.source->position(name.span.begin);
    return {.file = file_.source->path(), .line = place.line, .column = place.column};
  }

  void unavailable(const ast::Item& item, const ast::Name& name) {
    if (!item.damaged) {
      report_.unavailable(item.span, fmt::format("`{}`", file_.source->text(item.span)));
    }
    enter(name, {.kind = Definition::Kind::Other, .damaged = true, .used = true});
  }

  void define(const ast::Item& item, const ast::Use& use) { unavailable(item, use.name); }
  void define(const ast::Item& item, const ast::Param& param) { unavailable(item, param.name); }
  void define(const ast::Item& item, const ast::Function& function) {
    unavailable(item, function.name);
  }
  void define(const ast::Item&, const ast::Chain& chain) {
    enter(chain.stream, {.kind = Definition::Kind::Other, .damaged = true, .used = true});
  }
  void define(const ast::Item&, const ast::OnError&) {}
  void define(const ast::Item&, const ast::Deliver&) {}
  void define(const ast::Item&, const ast::Test&) {}

  void define(const ast::Item& item, const ast::Schema& written) {
    Schema schema{.name = written.name.text, .columns = {}};
    bool damaged = item.damaged;
    for (const ast::Field& field : written.fields) {
      if (field.name.empty() || field.type.name.empty()) continue;
      damaged = !add_field(field, schema) || damaged;
    }
    if (enter(written.name, {.kind = Definition::Kind::Schema,
                             .index = definitions_.schemas.size(),
                             .damaged = damaged})) {
      definitions_.schemas.push_back(std::move(schema));
    }
  }

  bool add_field(const ast::Field& field, Schema& schema) {
    const auto scalar = scalar_type_named(field.type.name.text);
    if (!scalar) {
      std::vector<std::string_view> names;
      for (int i = 0; i <= static_cast<int>(ScalarType::Duration); ++i) {
        names.push_back(to_string(static_cast<ScalarType>(i)));
      }
      const std::string_view meant = did_you_mean(field.type.name.text, names);
      report_.error(DiagnosticCode::K0304, field.type.name.span,
                    fmt::format("unknown type `{}`", field.type.name.text),
                    meant.empty() ? fmt::format("types: `{}`", fmt::join(names, " "))
                                  : fmt::format("did you mean `{}`?", meant));
      return false;
    }
    Column column{.name = field.name.text,
                  .type = {.scalar = *scalar, .optional = field.type.optional}};
    if (field.type.width) {
      constexpr std::int64_t widest = 1'000'000;
      if (!column.type.is_float() || *field.type.width < 1 || *field.type.width > widest) {
        report_.error(DiagnosticCode::K0304,
                      column.type.is_float() ? field.type.width_span : field.type.name.span,
                      column.type.is_float() ? "a vector's width is from 1 to 1000000"
                                             : "only `f32` and `f64` have vectors");
        return false;
      }
      column.type.width = static_cast<std::uint32_t>(*field.type.width);
    }
    if (field.name.text == "meta" || schema.find(field.name.text)) {
      report_.error(DiagnosticCode::K0202, field.name.span,
                    field.name.text == "meta"
                        ? "`meta` names no column"
                        : fmt::format("column `{}` is defined twice", field.name.text));
      return false;
    }
    if (field.from) {
      report_.unavailable(field.from->span, "`from` a named column");
      return false;
    }
    schema.columns.push_back(std::move(column));
    return true;
  }

  void define(const ast::Item& item, const ast::Endpoint& written) {
    auto& endpoints = written.source ? typed_.plan.sources : typed_.plan.sinks;
    const NodeRole role = written.source ? NodeRole::Source : NodeRole::Sink;
    EndpointPlan endpoint{
        .name = written.name.text, .node = nullptr, .params = {}, .place = place_of(written.name)};
    bool damaged = item.damaged;
    if (!written.kind.empty()) {
      endpoint.node = registry_.find(role, written.kind.text);
      if (endpoint.node == nullptr) {
        damaged = true;
        report_.unknown(written.kind.span, written.source ? "kind of source" : "kind of sink",
                        written.kind.text, registry_.names(role));
      } else if (!item.damaged) {
        damaged = !check_endpoint(written, endpoint);
      }
    }
    if (enter(written.name,
              {.kind = written.source ? Definition::Kind::Source : Definition::Kind::Sink,
               .index = endpoints.size(),
               .damaged = damaged})) {
      endpoints.push_back(std::move(endpoint));
    }
  }

  bool check_endpoint(const ast::Endpoint& written, EndpointPlan& endpoint) {
    CheckedOptions options = check_options(written.options, *endpoint.node, written.kind.span,
                                           nullptr, directory_, report_);
    endpoint.params = std::move(options.params);
    if (options.fine && endpoint.node->check_endpoint != nullptr) {
      for (const Issue& issue : endpoint.node->check_endpoint(endpoint.params)) {
        const auto value = options.values.find(issue.place.name);
        report_.add({.code = issue.code,
                     .span = value == options.values.end() ? written.kind.span : value->second,
                     .message = issue.message,
                     .label = issue.label,
                     .notes = issue.notes,
                     .help = issue.help});
        options.fine = false;
      }
    }
    // A file's path is relative to the pipeline's file.
    if (const auto path = endpoint.params.find("path"); path != endpoint.params.end()) {
      if (const auto* text = path->second.get<std::string>())
        path->second = {path_from(directory_, *text)};
    }
    if (const auto topic = options.values.find("topic");
        topic != options.values.end() && options.fine) {
      (written.source ? source_topics_ : sink_topics_)
          .push_back({string_param(endpoint.params, "topic"), topic->second});
    }
    if (const auto group = options.values.find("group");
        group != options.values.end() && written.source && options.fine) {
      one_group({string_param(endpoint.params, "group"), group->second});
    }
    return options.fine;
  }

  void define(const ast::Item&, const ast::UnknownItem& written) {
    enter(written.name, {.kind = Definition::Kind::Other, .damaged = true});
  }

  void define(const ast::Item& item, const ast::Model& written) {
    ModelPlan model{.name = written.name.text,
                    .node = nullptr,
                    .path = {},
                    .resource = nullptr,
                    .place = place_of(written.name)};
    std::map<std::string, Span> values;
    bool damaged = item.damaged;
    if (!damaged) damaged = !load(written, model, values);
    if (enter(written.name, {.kind = Definition::Kind::Model,
                             .index = typed_.plan.models.size(),
                             .damaged = damaged})) {
      typed_.plan.models.push_back(std::move(model));
      definitions_.model_options.push_back(std::move(values));
    }
  }

  bool load(const ast::Model& written, ModelPlan& model, std::map<std::string, Span>& values) {
    model.node = registry_.find(NodeRole::Model, written.format.text);
    if (model.node == nullptr) {
      report_.unknown(written.format.span, "format of models", written.format.text,
                      registry_.names(NodeRole::Model));
      return false;
    }
    CheckedOptions options = check_options(written.options, *model.node, written.format.span,
                                           nullptr, directory_, report_);
    values = options.values;
    const auto& path = std::get<StringLiteral>(written.file->literal);
    if (!options.fine || !path.constant()) {
      if (!path.constant()) report_.unavailable(written.file->span, "interpolation");
      return false;
    }
    model.path = path_from(directory_, path.text());
    auto loaded = model.node->load_model(model.path, options.params);
    if (loaded) {
      model.resource = *loaded;
      return true;
    }
    const Issue& issue = loaded.error();
    Span span = written.file->span;
    if (issue.place.part == IssuePlace::Part::Param && values.contains(issue.place.name))
      span = values[issue.place.name];
    report_.add({.code = issue.code,
                 .span = span,
                 .message = issue.message,
                 .label = issue.label,
                 .notes = issue.notes,
                 .help = issue.help});
    return false;
  }

  void on_error(const ast::Item& item, const ast::OnError& policy) {
    if (!once(item, "on error", on_error_item_)) return;
    on_error_given_ = true;
    if (!policy.target.empty()) on_error_ = check_target(policy.target, definitions_, report_);
  }

  /// Of the items that a file has once, the second is reported.
  bool once(const ast::Item& item, std::string_view words, std::optional<Span>& first) {
    if (!first) {
      first = item.span;
      return true;
    }
    report_.error(DiagnosticCode::K0202, item.span, fmt::format("`{}` is given twice", words),
                  "keep one of them", {{*first, "first here"}});
    return false;
  }

  void guarantee(const ast::Item& item, const ast::Deliver& deliver) {
    if (!once(item, "deliver", deliver_item_)) return;
    if (item.damaged || deliver.guarantee.text == "at_least_once") return;
    if (deliver.guarantee.text == "exactly_once") {
      report_.error(DiagnosticCode::K0602, deliver.guarantee.span,
                    "`exactly_once` is not available in this version of kaspar",
                    "`at_least_once` is the default");
    } else {
      report_.unknown(deliver.guarantee.span, "guarantee", deliver.guarantee.text,
                      {"at_least_once", "exactly_once"});
    }
  }

  /// All sources of consumer groups share one consumer.
  void one_group(Named group) {
    if (!group_) {
      group_ = std::move(group);
    } else if (group_->name != group.name) {
      report_.error(DiagnosticCode::K0602, group.span,
                    fmt::format("the sources of a file are read by one consumer, in one group, but "
                                "here are `{}` and `{}`",
                                group_->name, group.name),
                    "give both sources the same group, or write two files",
                    {{group_->span, "the other group is given here"}});
    }
  }

  void feedback() {
    for (const auto& [topic, span] : sink_topics_) {
      for (const auto& [read, source_span] : source_topics_) {
        if (topic != read) continue;
        report_.error(DiagnosticCode::K0503, span,
                      fmt::format("writes the topic `{}` that this file reads", topic),
                      "give the sink a topic of its own", {{source_span, "read here"}});
      }
    }
  }

  /// What an error keeps from being used is no second problem.
  void unused() {
    if (report_.has_errors()) return;
    for (const auto& [name, definition] : definitions_.by_name) {
      if (definition.used || definition.damaged) continue;
      report_.add({.code = DiagnosticCode::K0501,
                   .severity = Severity::Warning,
                   .span = definition.span,
                   .message = fmt::format("`{}` is never used", name)});
    }
  }

  const ast::File& file_;
  const NodeRegistry& registry_;
  bool syntax_errors_;
  Report report_;
  std::string directory_;
  TypedPipeline typed_;
  Definitions definitions_;
  std::optional<ErrorPolicy> on_error_;
  bool on_error_given_ = false;
  std::optional<Span> on_error_item_;
  std::optional<Span> deliver_item_;
  std::vector<Named> source_topics_;
  std::vector<Named> sink_topics_;
  std::optional<Named> group_;  // of the first source that has one
};

}  // namespace

TypedPipeline check(const ast::File& file, const NodeRegistry& registry, Diagnostics& diagnostics) {
  return Checker(file, registry, diagnostics).run();
}

}  // namespace kaspar::dsl
