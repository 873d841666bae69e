// Whether two JSON documents mean the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kaspar::cli {

/// Where and how `got` first differs from `expected`, for people; nothing where they mean the same:
/// the order of members does not count, of members of one name the last does, 1 is 1.0, and
/// numbers may differ by `tolerance`. What is no JSON differs from all.
[[nodiscard]] std::optional<std::string> json_difference(std::string_view expected,
                                                         std::string_view got, double tolerance);

/// Whether two numbers differ by `tolerance` at most.
[[nodiscard]] bool within(double expected, double got, double tolerance) noexcept;

}  // namespace kaspar::cli
