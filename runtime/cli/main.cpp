// The program: one command a run. Exit statuses are those of ExitStatus.
#include <cstdio>
#include <exception>
#include <string>

#include <CLI/CLI.hpp>

#include "runtime/cli/commands.hpp"

namespace {

int status(kaspar::ExitStatus exit_status) { return static_cast<int>(exit_status); }

bool is_command(const CLI::App& app, const std::string& name) {
  const auto named = [&name](const CLI::App* command) { return command->get_name() == name; };
  return !app.get_subcommands(named).empty();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    CLI::App app{"Inference pipelines on Kafka, from a text file to a oneTBB flow graph", "kaspar"};
    app.require_subcommand(1);
    kaspar::cli::Action action;
    kaspar::cli::add_check(app, action);
    kaspar::cli::add_run(app, action);
    kaspar::cli::add_eval(app, action);
    kaspar::cli::add_produce(app, action);
    kaspar::cli::add_consume(app, action);
    kaspar::cli::add_broker(app, action);
    kaspar::cli::add_version(app, action);
    if (argc > 1 && argv[1][0] != '-' && !is_command(app, argv[1])) {
      std::fprintf(stderr, "error: there is no command `%s`\nhelp: `kaspar --help` lists them\n",
                   argv[1]);
      return status(kaspar::ExitStatus::Usage);
    }
    try {
      app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      // Help that was asked for is no mistake.
      return app.exit(error) == 0 ? status(kaspar::ExitStatus::Fine)
                                  : status(kaspar::ExitStatus::Usage);
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
