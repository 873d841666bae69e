#include <fmt/core.h>

#include <CLI/CLI.hpp>

#include "nodes/kafka/client_version.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/core/instruction_set.hpp"

namespace kaspar::cli {

void add_version(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("version", "Tell the version, and those of the libraries");
  command->callback([&action] {
    action = [] {
      fmt::print("kaspar {}\n", KASPAR_VERSION);
      fmt::print("  compiler   {}\n", __VERSION__);
      fmt::print("  fmt        {}.{}.{}\n", FMT_VERSION / 10'000, FMT_VERSION / 100 % 100,
                 FMT_VERSION % 100);
      fmt::print("  CLI11      {}\n", CLI11_VERSION);
      fmt::print("  Eigen      {}\n", KASPAR_EIGEN_VERSION);
      fmt::print("  oneTBB     {}\n", KASPAR_TBB_VERSION);
      fmt::print("  protobuf   {}\n", KASPAR_PROTOBUF_VERSION);
      fmt::print("  librdkafka {}\n", nodes::kafka::librdkafka_version());
      fmt::print("  instructions: {}\n", name_of(instruction_set()));
      return ExitStatus::Fine;
    };
  });
}

}  // namespace kaspar::cli
