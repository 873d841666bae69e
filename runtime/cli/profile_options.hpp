// The options by which every command that compiles a file takes its settings: `--profile`, `-p`,
// and `--brokers`; and the profile and the environment behind them.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/plan/compile.hpp"
#include "dsl/source/outside_value.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/run_settings.hpp"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace kaspar::cli {

struct ProfileOptions {
  std::string profile;  // empty: `kaspar.toml` beside the pipeline file, if there are both
  std::vector<std::string> params;  // `k=v`
  std::string brokers;              // empty: as the environment or the profile says
  bool any_cluster = false;         // endpoints need not be on clusters of the profile
  /// The run is another process's, elsewhere, which may use so much memory: neither the environment
  /// nor the files of secrets are read here.
  std::optional<std::size_t> elsewhere = std::nullopt;
};

/// Adds `--profile` and `-p`; with `brokers`, `--brokers` too, which is returned.
CLI::Option* add_profile_options(CLI::App& command, ProfileOptions& options, bool brokers);

/// Where a setting's value comes from.
struct SettingOrigin {
  std::string text;     // "kaspar.toml:7", "command line"
  bool secret = false;  // its value is never to be printed
};

struct LoadedSettings {
  RunSettings settings;
  /// Of settings that do not have their default: "run.threads", "kafka.options.linger.ms".
  std::map<std::string, SettingOrigin> origins;
  std::vector<dsl::OutsideValue> params;  // the strongest first
  std::string profile;                    // the file that was read; empty: none
  bool tap = false;                       // the profile lets others look at what records hold
};

/// Brokers: `--brokers`, else KASPAR_BROKERS, else the profile. Parameters: `-p`, then the profile,
/// then KASPAR_PARAM_NAME. Memory: the profile, else half of what the cgroup allows, if it has a
/// limit. What is wrong with the profile goes into the diagnostics; a profile that cannot be read,
/// or a `-p` without a name, is a failure (wrong usage). `pipeline` is empty where there is none.
[[nodiscard]] std::expected<LoadedSettings, Failure> load_settings(const ProfileOptions& options,
                                                                   const std::string& pipeline,
                                                                   const NodeRegistry& registry,
                                                                   dsl::Diagnostics& diagnostics);

struct ConfiguredProgram {
  dsl::Compiled compiled;  // with the profile's diagnostics; no plan if there are errors in either
  LoadedSettings loaded;
};

/// Compiles the file with the parameters that come from outside.
[[nodiscard]] std::expected<ConfiguredProgram, Failure> compile_configured(
    const std::string& file, const NodeRegistry& registry, dsl::CompileOptions compile,
    const ProfileOptions& options);

}  // namespace kaspar::cli
