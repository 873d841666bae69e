// The profiles of a deployed pipeline: of its own one, or made up where it has none.
#pragma once

#include <expected>
#include <string>

#include "runtime/cli/deployment.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::cli {

/// Where pods have their Secret, one file a key.
inline constexpr std::string_view secrets_folder = "/run/secrets/kaspar";

/// Sets the profiles of `deployment`, its brokers, ports, grace, and the variables that it takes
/// from the Secret. Fails where a pod could not use the profile: a page or probes on the loopback,
/// secrets in files that it has not, a budget larger than the pod's memory.
[[nodiscard]] std::expected<void, Failure> take_profile(const LoadedSettings& loaded,
                                                        Deployment& deployment);

}  // namespace kaspar::cli
