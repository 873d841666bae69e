// Reads what a server of this program says, a piece at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "runtime/core/issue.hpp"

namespace kaspar::observe {

struct HttpAnswer {
  unsigned status = 0;
  std::string body;  // of a status other than 200; cut off after 64 KiB
};

/// GETs a target at HOST:PORT; `piece` gets a body as it comes, until it ends, `piece` returns
/// false or `stopped` is set. A failure where nobody answers, or what answers is no HTTP.
[[nodiscard]] std::expected<HttpAnswer, Failure> http_get(
    const std::string& address, const std::string& target,
    const std::function<bool(std::string_view)>& piece, const std::atomic<bool>& stopped);

/// The text as part of a query: what is special there as `%xx`.
[[nodiscard]] std::string query_encoded(std::string_view text);

}  // namespace kaspar::observe
