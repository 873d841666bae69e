#include "runtime/cli/client_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <utility>

#include "nodes/register_nodes.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/profile_options.hpp"

namespace kaspar::cli {

void add_client_options(CLI::App& command, ClientOptions& options) {
  command.add_option("--brokers", options.brokers,
                     fmt::format("HOST:PORT,… of the Kafka brokers (or KASPAR_BROKERS, or as the "
                                 "profile says; default {})",
                                 KafkaSettings{}.brokers));
  command.add_option("--profile", options.profile,
                     "settings and secrets of the cluster, in TOML: its section [kafka]");
}

std::expected<KafkaSettings, ExitStatus> client_settings(const ClientOptions& options) {
  NodeRegistry registry;
  nodes::register_all(registry);
  dsl::Diagnostics diagnostics;
  auto loaded = load_settings({.profile = options.profile, .brokers = options.brokers}, {},
                              registry, diagnostics);
  if (!loaded) return std::unexpected(tell(loaded.error()));
  diagnostics.sort();
  fmt::print(stderr, "{}", dsl::render_human(diagnostics, OutputOptions{}.coloured(STDERR_FILENO)));
  if (diagnostics.has_errors()) return std::unexpected(ExitStatus::Problems);
  return std::move(loaded->settings.kafka);
}

}  // namespace kaspar::cli
