// kaspar check: is a file sound?
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"

namespace kaspar::cli {
namespace {

struct CheckOptions {
  std::vector<std::string> files;
  std::string output = "human";
  bool deny_warnings = false;
  bool verbose = false;
};

ExitStatus check(const CheckOptions& options) {
  NodeRegistry registry;
  nodes::register_all(registry);
  ExitStatus status = ExitStatus::Fine;
  for (const std::string& file : options.files) {
    const dsl::Compiled compiled = dsl::compile_file(file, registry, {});
    if (compiled.unreadable) {
      fmt::print(stderr, "error: {}\n", *compiled.unreadable);
      return ExitStatus::Usage;
    }
    if (options.output == "json") {
      fmt::print("{}", dsl::render_json(compiled.diagnostics));
    } else {
      fmt::print("{}", dsl::render_human(compiled.diagnostics, ::isatty(STDOUT_FILENO) == 1));
      if (compiled.plan) fmt::print("{}: sound\n", file);
    }
    if (options.verbose && options.output == "human" && compiled.plan) {
      for (const ModelPlan& model : compiled.plan->models) {
        for (const std::string& remark : model.resource->remarks())
          fmt::print("  {}: {}\n", model.name, remark);
      }
      for (const ChainPlan& chain : compiled.plan->chains) {
        for (const StagePlan& stage : chain.stages) {
          if (!stage.resource) continue;
          for (const std::string& remark : stage.resource->remarks())
            fmt::print("  {}: {}\n", stage.text, remark);
        }
      }
    }
    if (compiled.diagnostics.has_errors() ||
        (options.deny_warnings && compiled.diagnostics.warnings() != 0)) {
      status = ExitStatus::Problems;
    }
  }
  return status;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("check", "Check pipeline files, offline");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("FILE", options->files, "pipeline files")->required();
  command->add_option("--output", options->output, "human or json")
      ->check(CLI::IsMember({"human", "json"}));
  command->add_flag("--deny-warnings", options->deny_warnings, "a warning is a problem too");
  command->add_flag("--verbose", options->verbose, "tell how models' shapes were taken");
  command->callback([options, &action] { action = [options] { return check(*options); }; });
}

}  // namespace kaspar::cli
