// The commands of the program, one file each. Each adds its options to the application and, once
// they are parsed, sets what is to be done.
#pragma once

#include <functional>

#include "runtime/core/issue.hpp"

namespace CLI {
class App;
}

namespace kaspar::cli {

/// What the command line asks for; returns the exit status.
using Action = std::function<ExitStatus()>;

void add_check(CLI::App& app, Action& action);
void add_test(CLI::App& app, Action& action);
void add_run(CLI::App& app, Action& action);
void add_eval(CLI::App& app, Action& action);
void add_model(CLI::App& app, Action& action);
void add_produce(CLI::App& app, Action& action);
void add_consume(CLI::App& app, Action& action);
void add_broker(CLI::App& app, Action& action);
void add_deploy(CLI::App& app, Action& action);
void add_explain(CLI::App& app, Action& action);
void add_show(CLI::App& app, Action& action);
void add_tap(CLI::App& app, Action& action);
void add_trace(CLI::App& app, Action& action);
void add_version(CLI::App& app, Action& action);

}  // namespace kaspar::cli
