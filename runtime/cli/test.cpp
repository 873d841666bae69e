// kaspar test: runs the `test` blocks of files with endpoints in memory.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/test_report.hpp"
#include "runtime/cli/test_runner.hpp"
#include "runtime/cli/used_files.hpp"

namespace kaspar::cli {
namespace {

struct TestOptions {
  ProfileOptions profile;
  std::vector<std::string> files;
  OutputOptions output;
  std::string filter;
};

FileReport test_file(const CompiledFile& given, const TestOptions& options) {
  const auto& [file, compiled] = given;
  FileReport report{
      .file = file, .unreadable = compiled.unreadable, .diagnostics = compiled.diagnostics};
  if (!compiled.plan) return report;
  const TestRunner runner(*compiled.plan);
  for (const TestPlan& test : compiled.plan->tests) {
    if (test.name.find(options.filter) == std::string::npos) continue;
    report.outcomes.push_back(runner.run(test));
  }
  return report;
}

std::string document(OutputFormat format, const std::vector<FileReport>& reports) {
  dsl::Diagnostics diagnostics;
  std::vector<std::string> unreadable;
  for (const FileReport& report : reports) {
    diagnostics.append(report.diagnostics);
    if (report.unreadable) unreadable.push_back(*report.unreadable);
  }
  std::vector<dsl::Finding> findings = dsl::findings_of(diagnostics);
  std::ranges::move(failed_tests(reports), std::back_inserter(findings));
  switch (format) {
    case OutputFormat::Human:
      return human_summary(reports);
    case OutputFormat::Json:
      return dsl::render_json(diagnostics, unreadable.empty(), json_members(reports));
    case OutputFormat::Sarif:
      return dsl::render_sarif(findings, KASPAR_VERSION, unreadable);
    case OutputFormat::Github:
      return dsl::render_github(findings);
    case OutputFormat::Junit:
      return junit_report(reports);
  }
  return {};
}

ExitStatus status_of(const std::vector<FileReport>& reports) {
  ExitStatus status = ExitStatus::Fine;
  for (const FileReport& report : reports) {
    if (report.unreadable) return ExitStatus::Usage;
    const bool fine = !report.diagnostics.has_errors() &&
                      std::ranges::all_of(report.outcomes, &TestOutcome::passed);
    if (!fine) status = ExitStatus::Problems;
  }
  return status;
}

ExitStatus test(const TestOptions& options) {
  NodeRegistry registry;
  nodes::register_all(registry);
  const OutputFormat format = options.output.kind();
  std::vector<FileReport> reports;
  std::size_t tests = 0;
  std::vector<CompiledFile> files;
  for (const std::string& file : options.files) {
    auto program = compile_configured(file, registry, {}, options.profile);
    if (!program) return tell(program.error());
    files.push_back({.file = file, .compiled = std::move(program->compiled)});
  }
  accept_used_files(files);
  for (const CompiledFile& file : files) {
    const FileReport& report = reports.emplace_back(test_file(file, options));
    if (report.unreadable) tell({.status = ExitStatus::Usage, .message = *report.unreadable});
    if (format == OutputFormat::Human) {
      fmt::print("{}", human_report(report, options.output.coloured(STDOUT_FILENO)));
    }
    tests += report.outcomes.size();
  }
  fmt::print("{}", document(format, reports));
  const ExitStatus status = status_of(reports);
  if (status == ExitStatus::Fine && tests == 0 && !options.filter.empty()) {
    return tell({.status = ExitStatus::Usage,
                 .message = fmt::format("no test has `{}` in its name", options.filter),
                 .help = "without `--filter` all tests are run"});
  }
  return status;
}

}  // namespace

void add_test(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("test", "Run the tests of pipeline files, with endpoints in memory");
  auto options = std::make_shared<TestOptions>();
  command->add_option("FILE", options->files, "pipeline files")->required();
  command->add_option("--filter", options->filter, "only tests with this in their names")
      ->type_name("TEXT");
  add_output_options(*command, options->output, {"human", "json", "junit", "sarif", "github"});
  add_profile_options(*command, options->profile, false);
  command->callback([options, &action] { action = [options] { return test(*options); }; });
}

}  // namespace kaspar::cli
