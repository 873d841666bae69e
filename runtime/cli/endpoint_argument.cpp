#include "runtime/cli/endpoint_argument.hpp"

#include <fmt/format.h>

#include <cstddef>

namespace kaspar::cli {

std::expected<EndpointArgument, std::string> parse_endpoint_argument(NodeRole role,
                                                                     std::string_view text) {
  const bool is_source = role == NodeRole::Source;
  const std::string_view stream = is_source ? "stdin" : "stdout";
  const std::string_view option = is_source ? "--source" : "--sink";
  const std::size_t equals = text.find('=');
  const std::string_view value =
      equals == std::string_view::npos ? std::string_view{} : text.substr(equals + 1);
  constexpr std::string_view file = "file:";
  if (equals != 0 && equals != std::string_view::npos) {
    EndpointArgument argument{.name = std::string{text.substr(0, equals)}};
    if (value == stream) {
      argument.kind = stream;
      return argument;
    }
    if (value.starts_with(file) && value.size() > file.size()) {
      argument.kind = "file";
      argument.params.emplace("path", Value{std::string{value.substr(file.size())}});
      return argument;
    }
  }
  return std::unexpected{
      fmt::format("`{} {}` names no endpoint: write `{} NAME={}` or `{} "
                  "NAME=file:PATH`",
                  option, text, option, stream, option)};
}

std::expected<FeedArgument, std::string> parse_feed_argument(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == 0 || equals == std::string_view::npos || equals + 1 == text.size()) {
    return std::unexpected{
        fmt::format("`--feed {}` names no file for a source: write `--feed NAME=PATH`", text)};
  }
  return FeedArgument{.source = std::string{text.substr(0, equals)},
                      .path = std::string{text.substr(equals + 1)}};
}

}  // namespace kaspar::cli
