#include "runtime/cli/profile_options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string_view>

#include "dsl/lex/secrets.hpp"
#include "dsl/profile/profile.hpp"
#include "runtime/engine/memory_limit.hpp"

extern char** environ;

namespace kaspar::cli {
namespace {

std::optional<std::string> environment_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

/// `k=v` as it stands on the command line.
std::expected<dsl::OutsideValue, Failure> command_line_param(const std::string& text) {
  const std::size_t equal = text.find('=');
  if (equal == std::string::npos || equal == 0) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("-p {}: a parameter is given as NAME=VALUE", text)});
  }
  constexpr std::uint32_t before = 3;  // "-p "
  const auto at = static_cast<std::uint32_t>(equal);
  const auto end = static_cast<std::uint32_t>(text.size());
  return dsl::OutsideValue{
      .name = text.substr(0, equal),
      .value = {text.substr(equal + 1)},
      .on_command_line = true,
      .text = true,
      .source = std::make_shared<const dsl::SourceBuffer>("command line", "-p " + text),
      .name_span = {before, before + at},
      .value_span = {before + at + 1, before + end}};
}

/// KASPAR_PARAM_NAME, for any name: the compiler looks for those that it knows.
void add_environment_params(std::vector<dsl::OutsideValue>& params) {
  constexpr std::string_view prefix = "KASPAR_PARAM_";
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string text{*variable};
    const std::size_t equal = text.find('=');
    if (!text.starts_with(prefix) || equal == std::string::npos) continue;
    const auto at = static_cast<std::uint32_t>(equal);
    params.push_back({.name = text.substr(prefix.size(), equal - prefix.size()),
                      .value = {text.substr(equal + 1)},
                      .from_environment = true,
                      .text = true,
                      .source = std::make_shared<const dsl::SourceBuffer>("environment", text),
                      .name_span = {0, at},
                      .value_span = {at + 1, static_cast<std::uint32_t>(text.size())}});
  }
}

std::expected<std::string, Failure> read_profile_text(const std::string& path) {
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("cannot read the profile `{}`: {}", path, why)});
  };
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) return refuse("there is no such file");
  if (std::filesystem::file_size(path, failed) > dsl::largest_profile)
    return refuse("it is larger than 1 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return refuse("it cannot be opened");
  return text;
}

std::string host_name() {
  std::string name(256, '\0');
  if (::gethostname(name.data(), name.size() - 1) != 0) return "kaspar";
  name.resize(std::string_view(name.c_str()).size());
  return name;
}

/// Half: the rest is for what allocators keep, large requests, and the kernel's buffers.
void take_cgroup_memory(const ProfileOptions& options, LoadedSettings& loaded) {
  constexpr std::size_t least = 16u << 20;
  const auto limit = options.elsewhere ? options.elsewhere : engine::memory_limit();
  if (!limit) return;
  loaded.settings.memory_budget = std::max(least, *limit / 2);
  loaded.origins["run.memory_budget"] = {"default: half of the cgroup's memory limit"};
}

}  // namespace

CLI::Option* add_profile_options(CLI::App& command, ProfileOptions& options, bool brokers) {
  command.add_option("--profile", options.profile,
                     "settings and secrets, in TOML; kaspar.toml beside FILE if there is one");
  command.add_option("-p", options.params, "NAME=VALUE sets a parameter of the file")
      ->allow_extra_args(false);
  if (!brokers) return nullptr;
  return command.add_option("--brokers", options.brokers,
                            "HOST:PORT,… of the Kafka brokers (or KASPAR_BROKERS)");
}

std::expected<LoadedSettings, Failure> load_settings(const ProfileOptions& options,
                                                     const std::string& pipeline,
                                                     const NodeRegistry& registry,
                                                     dsl::Diagnostics& diagnostics) {
  LoadedSettings loaded;
  for (const std::string& text : options.params) {
    auto param = command_line_param(text);
    if (!param) return std::unexpected(std::move(param.error()));
    if (dsl::is_secret(param->name)) diagnostics.hide(*param->source, param->value_span);
    loaded.params.push_back(std::move(*param));
  }
  // Of several, the last one counts, as of any option.
  std::ranges::reverse(loaded.params);

  loaded.profile = options.profile;
  if (loaded.profile.empty() && !pipeline.empty()) {
    const auto beside = std::filesystem::path(pipeline).parent_path() / "kaspar.toml";
    std::error_code failed;
    if (std::filesystem::exists(beside, failed)) loaded.profile = beside.string();
  }
  if (!loaded.profile.empty()) {
    auto text = read_profile_text(loaded.profile);
    if (!text) return std::unexpected(std::move(text.error()));
    dsl::Profile profile = dsl::read_profile(
        std::make_shared<const dsl::SourceBuffer>(loaded.profile, std::move(*text)), {}, registry,
        environment_variable, diagnostics,
        options.elsewhere ? dsl::References::Elsewhere : dsl::References::Read);
    loaded.settings = std::move(profile.settings);
    loaded.tap = profile.tap;
    for (const auto& [name, given] : profile.given) {
      loaded.origins[name] = {
          .text = fmt::format("{}:{}{}{}", loaded.profile, given.line,
                              given.reference.empty() ? "" : ", ", given.reference),
          .secret = !given.reference.empty()};
    }
    std::ranges::move(profile.params, std::back_inserter(loaded.params));
  }
  if (!loaded.origins.contains("run.memory_budget")) take_cgroup_memory(options, loaded);
  const auto environment = [&](const char* name) {
    return options.elsewhere ? std::string{} : environment_variable(name).value_or("");
  };
  if (!options.elsewhere) add_environment_params(loaded.params);

  const std::string from_environment = environment("KASPAR_BROKERS");
  if (!options.brokers.empty()) {
    loaded.settings.kafka.brokers = options.brokers;
    loaded.origins["kafka.brokers"] = {"command line"};
  } else if (!from_environment.empty()) {
    loaded.settings.kafka.brokers = from_environment;
    loaded.origins["kafka.brokers"] = {"environment variable KASPAR_BROKERS"};
  }
  if (std::string instance = environment("KASPAR_INSTANCE"); !instance.empty()) {
    loaded.settings.instance = std::move(instance);
    loaded.origins["run.instance"] = {"environment variable KASPAR_INSTANCE"};
  } else if (loaded.settings.instance.empty()) {
    loaded.settings.instance = host_name();
  }
  return loaded;
}

std::expected<ConfiguredProgram, Failure> compile_configured(const std::string& file,
                                                             const NodeRegistry& registry,
                                                             dsl::CompileOptions compile,
                                                             const ProfileOptions& options) {
  dsl::Diagnostics diagnostics;
  auto loaded = load_settings(options, file, registry, diagnostics);
  if (!loaded) return std::unexpected(std::move(loaded.error()));
  compile.params = loaded->params;
  compile.memory_budget = loaded->settings.memory_budget;
  if (!options.any_cluster) {
    auto& names = compile.clusters.emplace();
    for (const auto& [name, cluster] : loaded->settings.clusters) names.push_back(name);
  }
  ConfiguredProgram program{.compiled = dsl::compile_file(file, registry, compile),
                            .loaded = std::move(*loaded)};
  diagnostics.sort();
  if (diagnostics.has_errors()) program.compiled.plan.reset();
  program.compiled.diagnostics.append(diagnostics);
  return program;
}

}  // namespace kaspar::cli
