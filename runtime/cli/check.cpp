// kaspar check: are files sound?
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/dump.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/online_check.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/used_files.hpp"

namespace kaspar::cli {
namespace {

struct CheckOptions {
  ProfileOptions profile;
  std::vector<std::string> files;
  OutputOptions output;
  std::string dump;
  bool online = false;
  bool deny_warnings = false;
  bool verbose = false;
};

/// How the shapes of models and the like were taken.
void print_remarks(const Plan& plan) {
  const auto print = [](std::string_view what, const std::shared_ptr<const Resource>& resource) {
    if (!resource) return;
    for (const std::string& remark : resource->remarks()) fmt::print("  {}: {}\n", what, remark);
  };
  for (const ModelPlan& model : plan.models) print(model.name, model.resource);
  for (const ChainPlan& chain : plan.chains) {
    for (const StagePlan& stage : chain.stages) print(stage.text, stage.resource);
  }
}

void print_for_people(const std::string& file, const dsl::Compiled& compiled,
                      const CheckOptions& options) {
  fmt::print("{}", dsl::render_human(compiled.diagnostics, options.output.coloured(STDOUT_FILENO)));
  if (compiled.diagnostics.has_errors()) return;
  if (const std::size_t warnings = compiled.diagnostics.warnings();
      warnings != 0 && options.deny_warnings) {
    fmt::print(
        "{}: {} denied by --deny-warnings\n", file,
        warnings == 1 ? std::string{"a warning is"} : fmt::format("{} warnings are", warnings));
  } else {
    fmt::print("{}: sound\n", file);
  }
  if (options.verbose && compiled.plan) print_remarks(*compiled.plan);
}

ExitStatus check(const CheckOptions& options) {
  NodeRegistry registry;
  nodes::register_all(registry);
  const bool human = options.output.kind() == OutputFormat::Human;
  dsl::Diagnostics diagnostics;
  std::vector<std::string> unreadable;
  std::vector<CompiledFile> files;
  std::vector<RunSettings> settings;  // of each file
  for (const std::string& file : options.files) {
    auto program = compile_configured(file, registry, {}, options.profile);
    if (!program) return tell(program.error());
    files.push_back({.file = file, .compiled = std::move(program->compiled)});
    settings.push_back(std::move(program->loaded.settings));
  }
  accept_used_files(files);
  std::size_t unsound = 0;
  for (const CompiledFile& file : files) unsound += file.compiled.diagnostics.errors();
  for (std::size_t i = 0; i < files.size() && options.online; ++i) {
    if (files[i].compiled.plan) check_online(files[i].compiled, settings[i]);
  }
  for (const auto& [file, compiled] : files) {
    if (compiled.unreadable) {
      tell({.status = ExitStatus::Usage, .message = *compiled.unreadable});
      unreadable.push_back(*compiled.unreadable);
      continue;
    }
    if (!options.dump.empty()) {
      fmt::print("{}", dump_of(options.dump, file, compiled));
      fmt::print(stderr, "{}",
                 dsl::render_human(compiled.diagnostics, options.output.coloured(STDERR_FILENO)));
    } else if (human) {
      print_for_people(file, compiled, options);
    }
    diagnostics.append(compiled.diagnostics);
  }
  fmt::print("{}", diagnostics_document(options.output.kind(), diagnostics, unreadable));
  if (!unreadable.empty()) return ExitStatus::Usage;
  if (unsound != 0 || (options.deny_warnings && diagnostics.warnings() != 0)) {
    return ExitStatus::Problems;
  }
  // What only the cluster lacks may be there a minute later.
  return diagnostics.has_errors() ? ExitStatus::Failed : ExitStatus::Fine;
}

}  // namespace

void add_check(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("check", "Find what is wrong in pipeline files");
  auto options = std::make_shared<CheckOptions>();
  command->add_option("FILE", options->files, "pipeline files")->required();
  add_output_options(*command, options->output, {"human", "json", "sarif", "github"});
  command->add_flag("--deny-warnings", options->deny_warnings, "a warning is a problem too");
  command->add_flag("--verbose", options->verbose, "tell how models' shapes were taken");
  command
      ->add_option(
          "--dump", options->dump,
          "print what a phase of the compiler made of it; diagnostics go to standard error")
      ->check(CLI::IsMember({"tokens", "ast", "typed", "plan"}))
      ->type_name("PHASE")
      ->excludes("--output");
  CLI::Option* online = command->add_flag("--online", options->online,
                                          "ask the brokers too: topics, partitions, authorization");
  add_profile_options(*command, options->profile, true)->needs(online);
  command->callback([options, &action] { action = [options] { return check(*options); }; });
}

}  // namespace kaspar::cli
