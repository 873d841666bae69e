// Values of a profile: durations, sizes, and what stands in the environment or in a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "dsl/profile/profile.hpp"
#include "dsl/profile/profile_document.hpp"

namespace kaspar::dsl {

/// `250ms 5s 10m 1h`, not negative.
[[nodiscard]] std::optional<std::chrono::milliseconds> read_setting_duration(
    const toml::node& node);

/// Bytes: a whole number, or `"64KiB"`, `"10MB"`.
[[nodiscard]] std::optional<std::uint64_t> read_setting_size(const toml::node& node);

/// The text of `{ env = "X" }` (K0704 where it is not set) or `{ file = "…" }`, without the line
/// break at its end. Nothing where it is wrong (reported).
[[nodiscard]] std::optional<std::string> read_reference(const toml::table& table,
                                                        const Environment& environment,
                                                        References references,
                                                        ProfileDocument& document);

}  // namespace kaspar::dsl
