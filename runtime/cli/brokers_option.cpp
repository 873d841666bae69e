#include "runtime/cli/brokers_option.hpp"

#include <CLI/CLI.hpp>

namespace kaspar::cli {

CLI::Option* add_brokers_option(CLI::App& command, std::string& brokers) {
  return command.add_option("--brokers", brokers, "HOST:PORT,… of the Kafka brokers")
      ->envname("KASPAR_BROKERS")
      ->capture_default_str();
}

}  // namespace kaspar::cli
