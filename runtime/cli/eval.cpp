// kaspar eval: scores labelled rows offline, through the same graph as a run.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/evaluation_endpoints.hpp"
#include "runtime/cli/evaluation_plan.hpp"
#include "runtime/cli/evaluation_report.hpp"
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
  std::string html;
  OutputOptions output;
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

/// Writes the page; the file is made anew.
std::expected<void, Failure> write_page(const std::string& path, const std::string& page) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  if (!file) {
    return std::unexpected(Failure{
        .status = ExitStatus::Usage,
        .message = fmt::format("cannot open the file `{}`: {}", path, std::strerror(errno))});
  }
  file << page;
  file.close();
  if (file) return {};
  return std::unexpected(Failure{.message = fmt::format("`{}` cannot be written", path)});
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
             dsl::render_human(compiled.diagnostics, options.output.coloured(STDERR_FILENO)));
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
  const EvaluationReport summary(std::filesystem::path(options.file).stem().string(), rows->labels,
                                 outcomes);
  if (options.output.kind() == OutputFormat::Json) {
    fmt::print("{}\n", summary.json());
  } else {
    fmt::print("{}", summary.text());
  }
  if (options.html.empty()) return ExitStatus::Fine;
  if (auto written = write_page(options.html, summary.html()); !written) {
    return tell(written.error());
  }
  return ExitStatus::Fine;
}

}  // namespace

void add_eval(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "eval", "Score labelled rows offline: accuracy, classes, confusion, reliability");
  auto options = std::make_shared<EvalOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  command
      ->add_option("ROWS", options->rows,
                   "CSV file: each line a record, then its true label; no header")
      ->required();
  command->add_option("--label", options->label,
                      "the column to compare, such as y.label, where the file leaves a choice");
  command->add_option("--html", options->html,
                      "also write a page with figures: one file that needs nothing else");
  add_output_options(*command, options->output, {"human", "json"});
  add_profile_options(*command, options->profile, false);
  command->callback([options, &action] { action = [options] { return evaluate(*options); }; });
}

}  // namespace kaspar::cli
