// The settings of a run one by one, as `kaspar show` prints them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dsl/check/resolved_param.hpp"
#include "runtime/cli/profile_options.hpp"

namespace kaspar::cli {

struct Setting {
  std::string section;  // as in a profile: "kafka", "kafka.options", "clusters.NAME", "run", "http"
  std::string name;
  std::string value;  // as a profile would say it, without quotes; empty for a secret
  std::string origin;
  bool secret = false;
};

/// Every setting of a profile, given or not, and all given options of librdkafka. `cpus`: what
/// `threads` is where nothing is said.
[[nodiscard]] std::vector<Setting> list_settings(const LoadedSettings& loaded, std::size_t cpus);

/// "256MiB", "1500kB" …: bytes in the largest unit that divides them.
[[nodiscard]] std::string size_text(std::size_t bytes);

}  // namespace kaspar::cli
