// `--source NAME=file:PATH`, `--sink NAME=stdout`, `--feed NAME=PATH`: what the command line puts
// in place of an endpoint.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "runtime/core/node_descriptor.hpp"
#include "runtime/core/value.hpp"

namespace kaspar::cli {

struct EndpointArgument {
  std::string name;  // of the source or sink in the file
  std::string kind;  // "file", "stdin" or "stdout"
  Params params;     // `path` of a file
};

/// Reads `NAME=file:PATH`, and `NAME=stdin` for a source or `NAME=stdout` for a sink; `role` is
/// Source or Sink. The error is a message for people.
[[nodiscard]] std::expected<EndpointArgument, std::string> parse_endpoint_argument(
    NodeRole role, std::string_view text);

struct FeedArgument {
  std::string source;
  std::string path;
};

/// Reads `NAME=PATH`.
[[nodiscard]] std::expected<FeedArgument, std::string> parse_feed_argument(std::string_view text);

}  // namespace kaspar::cli
