// What a request's target and its host say.
#pragma once

#include <optional>
#include <string_view>

#include "runtime/observe/http_server.hpp"

namespace kaspar::observe {

/// A request's own form of a target, `/path?a=b&c=d`, with `%xx` decoded; nothing where it is none.
/// A path with an escape stays as it is: none of ours has one.
[[nodiscard]] std::optional<HttpRequest> parse_target(std::string_view target);

/// Whether `Host` is this machine's loopback by name or address, with or without a port, or
/// missing.
[[nodiscard]] bool is_local_host(std::string_view host);

}  // namespace kaspar::observe
