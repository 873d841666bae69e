// kaspar show: the settings that a run of a file would have, and where each comes from.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/setting_list.hpp"
#include "runtime/core/memory_split.hpp"
#include "runtime/core/value_text.hpp"
#include "runtime/engine/available_cpus.hpp"

namespace kaspar::cli {
namespace {

struct ShowOptions {
  ProfileOptions profile;
  OutputOptions output;
  std::string file;
};

constexpr std::string_view hidden = "(secret)";

using Shares = std::vector<std::pair<std::string_view, std::size_t>>;

Shares shares_of(const MemorySplit& split) {
  return {{"program", split.program}, {"fetch", split.fetch},
          {"batches", split.batches}, {"best_effort", split.best_effort},
          {"models", split.models},   {"producers", split.producers}};
}

void print_for_people(const std::string& file, const LoadedSettings& loaded,
                      const std::vector<Setting>& settings,
                      const std::vector<dsl::ResolvedParam>& params, const MemorySplit& split) {
  struct Line {
    std::string section;
    std::string name;
    std::string value;
    std::string origin;
  };
  std::vector<Line> lines;
  for (const Setting& setting : settings) {
    lines.push_back({setting.section, dsl::shown_on_terminal(setting.name),
                     setting.secret ? std::string{hidden} : dsl::shown_on_terminal(setting.value),
                     dsl::shown_on_terminal(setting.origin)});
  }
  for (const dsl::ResolvedParam& param : params) {
    lines.push_back({"params", fmt::format("{}: {}", param.name, to_string(param.type)),
                     param.secret ? std::string{hidden} : dsl::shown_on_terminal(param.value),
                     dsl::shown_on_terminal(param.origin)});
  }
  for (const auto& [name, bytes] : shares_of(split)) {
    lines.push_back(
        {"memory", std::string{name}, size_text(bytes), "of `memory_budget` below `[run]`"});
  }
  std::size_t names = 0;
  std::size_t values = 0;
  constexpr std::size_t widest = 48;  // a longer one puts only its own line out
  for (const Line& line : lines) {
    names = std::max(names, std::min(widest, line.name.size()));
    values = std::max(values, std::min(widest, line.value.size()));
  }
  fmt::print("{}: {}\n", dsl::shown_on_terminal(file),
             loaded.profile.empty()
                 ? "no profile"
                 : fmt::format("profile {}", dsl::shown_on_terminal(loaded.profile)));
  std::string section;
  for (const Line& line : lines) {
    if (line.section != section)
      fmt::print("\n[{}]\n", dsl::shown_on_terminal(section = line.section));
    fmt::print("{:<{}}  {:<{}}  {}\n", line.name, names, line.value, values, line.origin);
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

/// `"value":…,"origin":…,"secret":…`; no value of a secret.
void append_value(std::string& out, std::string_view value, std::string_view origin, bool secret) {
  if (secret) {
    out += "\"value\":null";
  } else {
    append_field(out, "value", value);
  }
  out += ',';
  append_field(out, "origin", origin);
  out += secret ? ",\"secret\":true}" : ",\"secret\":false}";
}

void print_json(const std::string& file, const LoadedSettings& loaded,
                const std::vector<Setting>& settings, const std::vector<dsl::ResolvedParam>& params,
                const MemorySplit& split) {
  std::string out = "{\"format_version\":1,";
  append_field(out, "file", file);
  out += ",\"profile\":";
  if (loaded.profile.empty()) {
    out += "null";
  } else {
    append_json_string(out, loaded.profile);
  }
  out += ",\"settings\":[";
  std::string_view comma;
  for (const Setting& setting : settings) {
    out += std::exchange(comma, ",");
    out += '{';
    append_field(out, "section", setting.section);
    out += ',';
    append_field(out, "name", setting.name);
    out += ',';
    append_value(out, setting.value, setting.origin, setting.secret);
  }
  out += "],\"params\":[";
  comma = {};
  for (const dsl::ResolvedParam& param : params) {
    out += std::exchange(comma, ",");
    out += '{';
    append_field(out, "name", param.name);
    out += ',';
    append_field(out, "type", to_string(param.type));
    out += ',';
    append_value(out, param.value, param.origin, param.secret);
  }
  out += "],\"memory\":{";
  comma = {};
  for (const auto& [name, bytes] : shares_of(split)) {
    out += std::exchange(comma, ",");
    append_json_string(out, name);
    out += fmt::format(":{}", bytes);
  }
  fmt::print("{}}}}}\n", out);
}

ExitStatus show(const ShowOptions& options) {
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
  if (compiled.diagnostics.has_errors()) return ExitStatus::Problems;
  const LoadedSettings& loaded = program->loaded;
  const std::vector<Setting> settings = list_settings(loaded, engine::available_cpus());
  const std::size_t threads =
      loaded.settings.threads != 0 ? loaded.settings.threads : engine::available_cpus();
  const MemorySplit split =
      split_memory(loaded.settings.memory_budget, compiled.plan->model_memory(threads),
                   compiled.plan->has_best_effort_branches());
  const auto print = options.output.kind() == OutputFormat::Json ? print_json : print_for_people;
  print(options.file, loaded, settings, compiled.params, split);
  return ExitStatus::Fine;
}

}  // namespace

void add_show(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("show", "Print the settings of a run, and where each comes from");
  auto options = std::make_shared<ShowOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  add_output_options(*command, options->output, {"human", "json"});
  add_profile_options(*command, options->profile, true);
  command->callback([options, &action] { action = [options] { return show(*options); }; });
}

}  // namespace kaspar::cli
