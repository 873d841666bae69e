// `--brokers`, the same for every command that talks to Kafka.
#pragma once

#include <string>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kaspar::cli {

/// `--brokers`, else KASPAR_BROKERS, else `brokers` stays as it is.
CLI::Option* add_brokers_option(CLI::App& command, std::string& brokers);

}  // namespace kaspar::cli
