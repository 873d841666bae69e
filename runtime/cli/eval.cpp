// kaspar eval: scores labelled rows offline, through the same graph as a run.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/confusion_matrix.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/evaluation_endpoints.hpp"
#include "runtime/cli/evaluation_plan.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/labelled_row.hpp"
#include "runtime/cli/lines.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/engine/available_cpus.hpp"
#include "runtime/engine/engine.hpp"
#include "runtime/observe/log.hpp"

namespace kaspar::cli {
namespace {

struct EvalOptions {
  ProfileOptions profile;
  std::string file;
  std::string rows;
  std::string label;
};

struct LabelledRows {
  std::vector<std::string> records;
  std::vector<std::string> labels;
};

std::expected<LabelledRows, Failure> read_rows(const std::string& path) {
  LabelledRows rows;
  std::size_t number = 0;
  auto read = for_each_line(path, [&](std::string_view line) -> std::expected<void, Failure> {
    ++number;
    const auto row = split_label(line);
    if (!row) {
      return std::unexpected(Failure{
          .status = ExitStatus::Problems,
          .message = fmt::format("{}:{}: the line has no label in a last column", path, number),
          .help = "each line is a record, a comma, and the true label"});
    }
    rows.records.emplace_back(row->record);
    rows.labels.push_back(row->label);
    return {};
  });
  if (!read) return std::unexpected(std::move(read.error()));
  if (rows.records.empty()) {
    return std::unexpected(Failure{.status = ExitStatus::Problems,
                                   .message = fmt::format("{}: there are no rows", path)});
  }
  return rows;
}

void print_report(const LabelledRows& rows, const std::vector<RowOutcome>& outcomes) {
  ConfusionMatrix matrix;
  std::map<DiagnosticCode, std::size_t> failed;
  std::size_t failures = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].error) {
      ++failed[*outcomes[i].error];
      ++failures;
    } else {
      matrix.count(rows.labels[i], outcomes[i].value.value_or("null"));
    }
  }
  // A row that failed was not labelled right either.
  const double accuracy =
      100.0 * static_cast<double>(matrix.right()) / static_cast<double>(outcomes.size());
  fmt::print("rows      {}\n", outcomes.size());
  fmt::print("accuracy  {:.2f} % ({} of {} right)\n", accuracy, matrix.right(), outcomes.size());
  fmt::print("failed    {}", failures);
  for (const auto& [code, count] : failed) fmt::print("  {} × {}", name_of(code), count);
  fmt::print("\n\n{}", matrix.text());
}

ExitStatus evaluate(const EvalOptions& options) {
  NodeRegistry registry;
  nodes::register_all(registry);
  auto program = compile_configured(options.file, registry, {}, options.profile);
  if (!program) return tell(program.error());
  const dsl::Compiled& compiled = program->compiled;
  if (compiled.unreadable) {
    return tell({.status = ExitStatus::Usage, .message = *compiled.unreadable});
  }
  fmt::print(stderr, "{}",
             dsl::render_human(compiled.diagnostics, OutputOptions{}.coloured(STDERR_FILENO)));
  if (!compiled.plan) return ExitStatus::Problems;
  const auto plan = make_evaluation_plan(*compiled.plan, registry, options.label);
  if (!plan) return tell({.status = ExitStatus::Usage, .message = plan.error()});
  const auto rows = read_rows(options.rows);
  if (!rows) return tell(rows.error());

  std::vector<RowOutcome> outcomes(rows->records.size());
  const std::unique_ptr<EventLog> log = observe::make_event_log(LogLevel::Warning);
  RunSettings settings = std::move(program->loaded.settings);
  settings.lossless_best_effort = true;
  settings.model_memory =
      plan->model_memory(settings.threads != 0 ? settings.threads : engine::available_cpus());
  const RunContext context{.settings = settings, .log = *log};
  engine::Endpoints endpoints;
  endpoints.sources[0] = std::make_unique<RowSource>(rows->records);
  endpoints.sinks[0] = std::make_unique<OutcomeSink>(outcomes);
  engine::Engine engine(*plan, context, std::move(endpoints));
  if (auto opened = engine.open(); !opened) return tell(opened.error());
  const engine::RunReport report = engine.run();
  if (report.failure) return tell(*report.failure);
  print_report(*rows, outcomes);
  return ExitStatus::Fine;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("eval", "Score labelled rows offline: accuracy and confusion matrix");
  auto options = std::make_shared<EvalOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  command
      ->add_option("ROWS", options->rows,
                   "CSV file: each line a record, then its true label; no header")
      ->required();
  command->add_option("--label", options->label,
                      "the column to compare, such as y.label, where the file leaves a choice");
  add_profile_options(*command, options->profile, false);
  command->callback([options, &action] { action = [options] { return evaluate(*options); }; });
}

}  // namespace kaspar::cli
