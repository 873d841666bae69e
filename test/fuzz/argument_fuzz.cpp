// What the command line and evaluation files give as one line: whatever is split off must be a part
// of the line and nothing may be lost.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/cli/endpoint_argument.hpp"
#include "runtime/cli/labelled_row.hpp"

namespace {

using namespace kaspar;

void require(bool holds) {
  if (!holds) std::abort();
}

void split(std::string_view line) {
  const auto row = cli::split_label(line);
  if (!row) return;
  require(row->record.data() == line.data() && row->record.size() < line.size());
  require(line[row->record.size()] == ',');
  std::string_view label = line.substr(row->record.size() + 1);
  if (label.ends_with('\r')) label.remove_suffix(1);
  require(!label.empty() && row->label.size() <= label.size());
  if (label.find('"') == label.npos) require(row->label == label);
}

void endpoint(NodeRole role, std::string_view text) {
  const auto argument = cli::parse_endpoint_argument(role, text);
  if (!argument) return require(!argument.error().empty());
  const std::string path = string_param(argument->params, "path");
  require(!argument->name.empty() && (argument->kind == "file") == !path.empty());
  const std::string value = argument->kind == "file" ? "file:" + path : argument->kind;
  require(argument->name + "=" + value == text);
}

void feed(std::string_view text) {
  const auto argument = cli::parse_feed_argument(text);
  if (!argument) return require(!argument.error().empty());
  require(!argument->source.empty() && !argument->path.empty());
  require(argument->source + "=" + argument->path == text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy without a terminator: a read past the end is seen by the sanitizer.
  const auto exact = std::make_unique<char[]>(size);
  if (size != 0) std::memcpy(exact.get(), data, size);
  const std::string_view text{exact.get(), size};
  split(text);
  endpoint(NodeRole::Source, text);
  endpoint(NodeRole::Sink, text);
  feed(text);
  return 0;
}
