// The lines of a file or of standard input, one after the other.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/core/issue.hpp"

namespace kaspar::cli {

/// Calls `handle` for each line (without LF) until it fails or `stopped` says so, which is asked at
/// least ten times a second. `path` is "-" for standard input. A file that cannot be opened is a
/// Failure with the status Usage.
[[nodiscard]] std::expected<void, Failure> for_each_line(
    const std::string& path,
    const std::function<std::expected<void, Failure>(std::string_view line)>& handle,
    const std::function<bool()>& stopped = [] { return false; });

}  // namespace kaspar::cli
