// The profile, `kaspar.toml`: how and where a pipeline runs, and the only place for secrets.
//
// [kafka] brokers, connect_timeout; [kafka.options] librdkafka's properties; [clusters.NAME] the
// same for further clusters; [run] threads, memory_budget, commit_interval, shutdown_deadline,
// mode, instance; [http] listen, probes, enabled, tap; [params] values of the file's parameters.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/source/outside_value.hpp"
#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::dsl {

/// Profiles larger than this are refused by whoever reads them.
inline constexpr std::size_t largest_profile = 1u << 20;

/// Where a profile says a setting.
struct GivenSetting {
  std::uint32_t line = 0;
  /// "environment variable X" or "file PATH", where the value, a secret, is taken from; or empty.
  std::string reference;
};

struct Profile {
  RunSettings settings;              // what the profile does not say has its default
  bool tap = false;                  // of [http]: what records hold may be looked at
  std::vector<OutsideValue> params;  // of [params]
  /// What it says but for [params]: "run.threads", "kafka.options.linger.ms".
  std::map<std::string, GivenSetting> given;
};

/// The value of an environment variable, or nothing.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// Whether what stands in the environment or in a file is looked up, or taken to be there, for a
/// process that runs elsewhere.
enum class References : std::uint8_t { Read, Elsewhere };

/// Reads a profile over `settings`. Reports what is wrong with it: K0702 at an unknown key or a bad
/// value, K0703 at a secret that is written out, K0704 at an environment variable that is not set.
/// Options of Kafka are checked by `registry`'s nodes. No message and no excerpt shows a secret.
[[nodiscard]] Profile read_profile(std::shared_ptr<const SourceBuffer> source, RunSettings settings,
                                   const NodeRegistry& registry, const Environment& environment,
                                   Diagnostics& diagnostics,
                                   References references = References::Read);

}  // namespace kaspar::dsl
