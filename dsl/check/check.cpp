#include "dsl/check/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "dsl/check/definitions.hpp"
#include "dsl/check/item_checker.hpp"
#include "dsl/check/params.hpp"
#include "dsl/check/stream_graph.hpp"
#include "dsl/check/test_checker.hpp"
#include "dsl/check/used_files.hpp"

namespace kaspar::dsl {
namespace {

class ProgramChecker {
 public:
  ProgramChecker(ast::File file, const NodeRegistry& registry,
                 const std::optional<std::vector<std::string>>& clusters, std::size_t memory_budget,
                 Diagnostics& diagnostics)
      : syntax_errors_(diagnostics.has_errors()),
        program_{.registry = registry,
                 .diagnostics = diagnostics,
                 .clusters = clusters,
                 .memory_budget = memory_budget} {
    program_.plan.file = file.source->path();
    program_.files.push_back(std::make_unique<FileDefinitions>(std::move(file), diagnostics));
  }

  TypedPipeline run(std::span<const OutsideValue> params) {
    load_used_files(program_);
    std::vector<ItemChecker> files;
    for (std::size_t i = 0; i < program_.files.size(); ++i) {
      files.emplace_back(program_, *program_.files[i], i == 0).define();
    }
    take_outside_values(program_, params, program_.diagnostics);
    for (ItemChecker& file : files) file.check();
    for (const ast::Item& item : main().file.items) {
      if (const auto* policy = std::get_if<ast::OnError>(&item.data)) on_error(item, *policy);
    }
    for (const ast::Item& item : main().file.items) {
      if (const auto* deliver = std::get_if<ast::Deliver>(&item.data)) guarantee(item, *deliver);
    }
    check_chains(program_, on_error_);
    runs();
    for (const ast::Item& item : main().file.items) {
      if (const auto* test = std::get_if<ast::Test>(&item.data))
        check_test(item, *test, program_, main());
    }
    feedback(files.front());
    unused();
    return {.plan = std::move(program_.plan),
            .source_texts = std::move(program_.source_texts),
            .sink_texts = std::move(program_.sink_texts),
            .params = resolved_params(program_),
            .paths = {program_.paths.begin(), program_.paths.end()}};
  }

 private:
  FileDefinitions& main() { return *program_.files.front(); }
  Report& report() { return main().report; }

  void runs() {
    const bool any = std::ranges::any_of(main().file.items, [](const ast::Item& item) {
      const auto* chain = std::get_if<ast::Chain>(&item.data);
      if (chain == nullptr) return false;
      // A stream that ends as a chain does was reported as that.
      return chain->stream.empty() ||
             std::ranges::any_of(chain->stages, [](const ast::Stage& stage) {
               return stage.word.text == "to" || stage.word.text == "route";
             });
    });
    // What is damaged may have been meant to run.
    if (any || syntax_errors_) return;
    report().error(DiagnosticCode::K0505, main().file.pipe, "nothing runs in this file",
                   "add a chain: `from SOURCE |> … |> to SINK`");
  }

  void on_error(const ast::Item& item, const ast::OnError& policy) {
    if (!once(item, "on error", on_error_item_)) return;
    on_error_.given = true;
    if (!policy.target.empty()) on_error_.policy = check_target(program_, main(), policy.target);
  }

  /// Of the items that a file has once, the second is reported.
  bool once(const ast::Item& item, std::string_view words, std::optional<Span>& first) {
    if (!first) {
      first = item.span;
      return true;
    }
    report().error(DiagnosticCode::K0202, item.span, fmt::format("`{}` is given twice", words),
                   "keep one of them", {{*first, "first here"}});
    return false;
  }

  void guarantee(const ast::Item& item, const ast::Deliver& deliver) {
    if (!once(item, "deliver", deliver_item_)) return;
    if (item.damaged || deliver.guarantee.text == "at_least_once") return;
    if (deliver.guarantee.text != "exactly_once") {
      Diagnostic diagnostic{
          .span = deliver.guarantee.span,
          .message = fmt::format("unknown guarantee `{}`", deliver.guarantee.text)};
      suggest(diagnostic, deliver.guarantee.text, {"at_least_once", "exactly_once"});
      return report().add(std::move(diagnostic));
    }
    program_.plan.guarantee = Guarantee::ExactlyOnce;
    std::vector<RelatedSpan> related;
    std::optional<std::string> cluster;
    std::string refused;
    const auto look = [&](const EndpointPlan& endpoint) {
      const auto found = main().by_name.find(endpoint.name);
      if (found == main().by_name.end() || found->second.damaged || endpoint.node == nullptr)
        return;
      if (endpoint.best_effort) return;  // it takes no part in transactions
      if (refused.empty()) refused = endpoint.node->transactions_refused;
      const std::string own = string_param(endpoint.params, "cluster");
      if (endpoint.node->name != "kafka") {
        related.push_back(
            {found->second.span, fmt::format("`{}` is no Kafka topic", endpoint.name)});
      } else if (!cluster) {
        cluster = own;
      } else if (*cluster != own) {
        related.push_back({found->second.span, "this is on another cluster"});
      }
    };
    for (const EndpointPlan& source : program_.plan.sources) look(source);
    for (const EndpointPlan& sink : program_.plan.sinks) look(sink);
    if (related.empty()) {
      if (refused.empty()) return;
      report().error(DiagnosticCode::K0602, item.span,
                     fmt::format("`exactly_once` cannot be given here: {}", refused),
                     "install what it needs (`deploy/install-dependencies` does), or say `deliver "
                     "at_least_once`");
      return;
    }
    report().error(DiagnosticCode::K0602, item.span,
                   "`exactly_once` needs Kafka sources and sinks on one cluster, dead letters "
                   "included",
                   "change the endpoints, or say `deliver at_least_once`", std::move(related));
  }

  void feedback(const ItemChecker& file) {
    for (const auto& sink : file.written()) {
      for (const auto& source : file.read()) {
        if (sink.name != source.name || sink.cluster != source.cluster || sink.file != source.file)
          continue;
        const std::string_view what = sink.file ? "file" : "topic";
        report().error(DiagnosticCode::K0503, sink.span,
                       fmt::format("writes the {} `{}` that this file reads", what, sink.name),
                       fmt::format("give the sink a {} of its own", what),
                       {{source.span, "read here"}});
      }
    }
  }

  /// What an error keeps from being used is no second problem.
  void unused() {
    if (report().has_errors()) return;
    for (const auto& [name, definition] : main().by_name) {
      if (definition.used || definition.damaged) continue;
      report().add({.code = DiagnosticCode::K0501,
                    .severity = Severity::Warning,
                    .span = definition.span,
                    .message = fmt::format("`{}` is never used", name)});
    }
  }

  bool syntax_errors_;
  Program program_;
  ErrorHandling on_error_;
  std::optional<Span> on_error_item_;
  std::optional<Span> deliver_item_;
};

}  // namespace

TypedPipeline check(ast::File file, const NodeRegistry& registry,
                    std::span<const OutsideValue> params,
                    const std::optional<std::vector<std::string>>& clusters,
                    std::size_t memory_budget, Diagnostics& diagnostics) {
  return ProgramChecker(std::move(file), registry, clusters, memory_budget, diagnostics)
      .run(params);
}

}  // namespace kaspar::dsl
