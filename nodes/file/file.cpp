// Sources `file` and `stdin`, sinks `file` and `stdout`: registration.
#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "nodes/file/line_sink.hpp"
#include "nodes/file/line_source.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {
namespace {

using file::LineSink;
using file::LineSource;
using Sources = std::vector<std::unique_ptr<Source>>;
using Sinks = std::vector<std::unique_ptr<Sink>>;

std::string path_of(const Params& params) {
  const auto found = params.find("path");
  if (found != params.end()) {
    if (const auto* path = found->second.get<FilePath>()) return path->path;
  }
  return string_param(params, "path");
}

std::vector<Issue> check_path(const Params& params) {
  if (!params.contains("path") || !path_of(params).empty()) return {};
  return {{.code = DiagnosticCode::K0302,
           .place = {.part = IssuePlace::Part::Param, .name = "path"},
           .message = "the path of a file must not be empty"}};
}

std::expected<Sources, Failure> make_file_sources(std::span<const EndpointCall> endpoints,
                                                  const RunContext&) {
  Sources sources;
  for (const EndpointCall& endpoint : endpoints) {
    sources.push_back(std::make_unique<LineSource>(endpoint.index, path_of(endpoint.params),
                                                   bool_param(endpoint.params, "header", false)));
  }
  return sources;
}

std::expected<Sources, Failure> make_stdin_sources(std::span<const EndpointCall> endpoints,
                                                   const RunContext&) {
  if (endpoints.size() > 1) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("the sources `{}` and `{}` both read standard input",
                                       endpoints[0].name, endpoints[1].name),
                .help = "read one source in several chains instead"});
  }
  Sources sources;
  for (const EndpointCall& endpoint : endpoints) {
    sources.push_back(std::make_unique<LineSource>(endpoint.index, std::string{},
                                                   bool_param(endpoint.params, "header", false)));
  }
  return sources;
}

std::expected<Sinks, Failure> make_file_sinks(std::span<const EndpointCall> endpoints,
                                              const RunContext&) {
  Sinks sinks;
  std::set<std::filesystem::path> seen;
  for (const EndpointCall& endpoint : endpoints) {
    const std::string path = path_of(endpoint.params);
    std::error_code error;
    if (!seen.insert(std::filesystem::weakly_canonical(path, error)).second) {
      return std::unexpected(
          Failure{.status = ExitStatus::Usage,
                  .message = fmt::format("the sink `{}` writes the file of another sink: `{}`",
                                         endpoint.name, path),
                  .help = "send both to one sink, or give each a file"});
    }
    sinks.push_back(
        std::make_unique<LineSink>(path, bool_param(endpoint.params, "show_key", false)));
  }
  return sinks;
}

std::expected<Sinks, Failure> make_stdout_sinks(std::span<const EndpointCall> endpoints,
                                                const RunContext&) {
  Sinks sinks;
  for (const EndpointCall& endpoint : endpoints) {
    sinks.push_back(
        std::make_unique<LineSink>(std::string{}, bool_param(endpoint.params, "show_key", false)));
  }
  return sinks;
}

ParamDescriptor path_param(std::string_view summary) {
  return {.name = "path", .kind = ParamKind::String, .summary = summary, .required = true};
}

const ParamDescriptor header_param{.name = "header",
                                   .kind = ParamKind::Boolean,
                                   .summary = "whether the first line is a header, not a record",
                                   .default_text = "false"};
const ParamDescriptor show_key_param{.name = "show_key",
                                     .kind = ParamKind::Boolean,
                                     .summary = "whether lines read `key = … value = …`",
                                     .default_text = "false"};

constexpr std::string_view source_documentation =
    "Each line is a record, blank ones too; its offset is the line's number from 0. It has no key "
    "and no timestamp.\n";
constexpr std::string_view sink_documentation =
    "Each record is a line: its value, or with `show_key` its key and value. A record without a "
    "value is an empty line. An error row is a line of JSON: `{raw, key, stage, code, message, "
    "topic, partition, offset}`. An I/O error ends the run.\n";

}  // namespace

void register_file(NodeRegistry& registry) {
  registry.add({.role = NodeRole::Source,
                .name = "file",
                .summary = "Reads a file, a record a line",
                .documentation = source_documentation,
                .params = {path_param("the file to read"), header_param},
                .examples = {"source rows = file { path: \"rows.csv\", header: true }"},
                .check_endpoint = check_path,
                .make_sources = make_file_sources});
  registry.add({.role = NodeRole::Source,
                .name = "stdin",
                .summary = "Reads standard input, a record a line",
                .documentation = source_documentation,
                .params = {header_param},
                .examples = {"source rows = stdin"},
                .make_sources = make_stdin_sources});
  registry.add({.role = NodeRole::Sink,
                .name = "file",
                .summary = "Writes a file, a line a record; what it held is gone",
                .documentation = sink_documentation,
                .params = {path_param("the file to write"), show_key_param},
                .examples = {"sink labels = file { path: \"labels.txt\" }"},
                .check_endpoint = check_path,
                .make_sinks = make_file_sinks});
  registry.add({.role = NodeRole::Sink,
                .name = "stdout",
                .summary = "Writes standard output, a line a record",
                .documentation = sink_documentation,
                .params = {show_key_param},
                .examples = {"sink labels = stdout { show_key: true }"},
                .make_sinks = make_stdout_sinks});
}

}  // namespace kaspar::nodes
