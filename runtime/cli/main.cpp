// The program: one command a run. Exit statuses are those of ExitStatus.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/core/instruction_set.hpp"

namespace {

int status(kaspar::ExitStatus exit_status) { return static_cast<int>(exit_status); }

const CLI::App* parsed_command(const CLI::App& app) {
  const auto commands = app.get_subcommands();
  return commands.empty() ? nullptr : commands.front();
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  return names;
}

std::string did_you_mean(const std::string& given, const std::vector<std::string>& names) {
  const std::vector<std::string_view> candidates(names.begin(), names.end());
  const std::string_view meant = kaspar::dsl::did_you_mean(given, candidates);
  return meant.empty() ? std::string{} : fmt::format("did you mean `{}`?", meant);
}

bool is_command(const CLI::App& app, const std::string& name) {
  return std::ranges::count(command_names(app), name) != 0;
}

kaspar::Failure unknown_command(const CLI::App& app, const std::string& given) {
  std::string help = did_you_mean(given, command_names(app));
  if (help.empty()) help = "`kaspar --help` lists them";
  return {.status = kaspar::ExitStatus::Usage,
          .message = fmt::format("there is no command `{}`", given),
          .help = help};
}

/// A mistake of the command line, worded as other errors are.
kaspar::Failure wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
  const CLI::App* command = parsed_command(app);
  const std::string name = command == nullptr ? "kaspar" : "kaspar " + command->get_name();
  kaspar::Failure failure{.status = kaspar::ExitStatus::Usage,
                          .message = error.what(),
                          .help = fmt::format("`{} --help` tells how it is used", name)};
  const std::vector<std::string> extras = app.remaining(true);
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !extras.empty()) {
    const std::string& extra = extras.front();
    const bool option = extra.starts_with('-') && extra != "-";
    failure.message = fmt::format("`{}` takes no {} `{}`", name, option ? "option" : "argument",
                                  extra.substr(0, option ? extra.find('=') : extra.npos));
    std::vector<std::string> names;
    for (const CLI::Option* known : (command == nullptr ? app : *command).get_options()) {
      for (const std::string& spelling : known->get_lnames()) names.push_back("--" + spelling);
    }
    if (std::string help = option ? did_you_mean(extra, names) : ""; !help.empty()) {
      failure.help = std::move(help);
    }
  } else if (command == nullptr && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    failure.message = "no command is given";
    failure.help = "`kaspar --help` lists them";
    if (!extras.empty()) {
      failure.message = fmt::format("`kaspar` takes no option `{}`", extras.front());
      const std::string& option = extras.front();
      const std::string word =
          option.substr(std::min(option.find_first_not_of('-'), option.size()));
      if (is_command(app, word)) failure.help = fmt::format("did you mean `kaspar {}`?", word);
    }
  } else if (failure.message.size() > 1 && failure.message[1] >= 'a') {
    failure.message[0] = static_cast<char>(std::tolower(failure.message[0]));
  }
  return failure;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"Inference pipelines on Kafka, from a text file to a oneTBB flow graph", "kaspar"};
    app.require_subcommand(1);
    kaspar::cli::Action action;
    kaspar::cli::add_check(app, action);
    kaspar::cli::add_test(app, action);
    kaspar::cli::add_run(app, action);
    kaspar::cli::add_eval(app, action);
    kaspar::cli::add_trace(app, action);
    kaspar::cli::add_tap(app, action);
    kaspar::cli::add_model(app, action);
    kaspar::cli::add_produce(app, action);
    kaspar::cli::add_consume(app, action);
    kaspar::cli::add_broker(app, action);
    kaspar::cli::add_deploy(app, action);
    kaspar::cli::add_explain(app, action);
    kaspar::cli::add_show(app, action);
    kaspar::cli::add_version(app, action);
    if (argc > 1 && argv[1][0] != '-' && !is_command(app, argv[1])) {
      return status(kaspar::cli::tell(unknown_command(app, argv[1])));
    }
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
      return app.exit(asked);  // help: no mistake
    } catch (const CLI::ParseError& error) {
      return status(kaspar::cli::tell(wrong_usage(app, error)));
    }
    if (const auto set = kaspar::wanted_instruction_set(); !set) {
      return status(kaspar::cli::tell({.status = kaspar::ExitStatus::Usage,
                                       .message = set.error(),
                                       .help = "unset it, and the best that there is is used"}));
    }
    const int result = status(action());
    if (std::fflush(stdout) != 0) {
      std::fputs("error: standard output cannot be written\n", stderr);
      return result != 0 ? result : status(kaspar::ExitStatus::Failed);
    }
    return result;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kaspar: this is a bug: %s\n", error.what());
    return status(kaspar::ExitStatus::Bug);
  }
}
