// `--brokers` and `--profile` of the commands that talk to Kafka without a pipeline.
#pragma once

#include <expected>
#include <string>

#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace CLI {
class App;
}

namespace kaspar::cli {

struct ClientOptions {
  std::string brokers;  // empty: as the environment or the profile says
  std::string profile;  // empty: none
};

void add_client_options(CLI::App& command, ClientOptions& options);

/// Brokers: `--brokers`, else KASPAR_BROKERS, else the profile's `[kafka]`, whose options hold for
/// all. What is wrong with the profile has been told on standard error; the error is the status.
[[nodiscard]] std::expected<KafkaSettings, ExitStatus> client_settings(
    const ClientOptions& options);

}  // namespace kaspar::cli
