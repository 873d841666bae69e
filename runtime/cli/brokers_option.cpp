#include "runtime/cli/brokers_option.hpp"

#include <CLI/CLI.hpp>
#include <cstdlib>

namespace kaspar::cli {

CLI::Option* add_brokers_option(CLI::App& command, std::string& brokers) {
  // Read here, not by CLI11, to which it would be as if `--brokers` had been given.
  if (const char* environment = std::getenv("KASPAR_BROKERS"); environment != nullptr) {
    brokers = environment;
  }
  return command
      .add_option("--brokers", brokers, "HOST:PORT,… of the Kafka brokers (or KASPAR_BROKERS)")
      ->capture_default_str();
}

}  // namespace kaspar::cli
