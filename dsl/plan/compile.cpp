#include "dsl/plan/compile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "dsl/check/check.hpp"
#include "dsl/lex/secrets.hpp"
#include "dsl/parse/parse.hpp"

namespace kaspar::dsl {
namespace {

std::optional<std::string> read_file(const std::string& path, std::string& text) {
  std::error_code failed;
  if (!std::filesystem::is_regular_file(path, failed)) {
    return fmt::format(
        "cannot read `{}`: {}", path,
        std::filesystem::exists(path, failed) ? "it is no regular file" : "there is no such file");
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) return fmt::format("cannot read `{}`: {}", path, std::strerror(errno));
  constexpr std::size_t block = 64u << 10;
  while (file && text.size() <= SourceBuffer::largest) {
    const std::size_t size = text.size();
    text.resize(size + block);
    file.read(text.data() + size, block);
    text.resize(size + static_cast<std::size_t>(file.gcount()));
  }
  if (text.size() > SourceBuffer::largest)
    return fmt::format("cannot read `{}`: it is larger than 64 MiB", path);
  return std::nullopt;
}

std::optional<std::string> replace(std::vector<EndpointPlan>& endpoints,
                                   const std::map<std::string, EndpointReplacement>& replacements,
                                   NodeRole role, std::string_view what,
                                   const NodeRegistry& registry) {
  for (const auto& [name, replacement] : replacements) {
    const auto found =
        std::find_if(endpoints.begin(), endpoints.end(),
                     [&](const EndpointPlan& endpoint) { return endpoint.name == name; });
    if (found == endpoints.end()) return fmt::format("the file has no {} `{}`", what, name);
    const NodeDescriptor* node = registry.find(role, replacement.kind);
    if (node == nullptr) return fmt::format("unknown kind of {} `{}`", what, replacement.kind);
    found->node = node;
    // What the file says of its lines, `header` and `show_key`, is true of the other file's too.
    Params params = replacement.params;
    for (const ParamDescriptor& param : node->params) {
      const auto said = found->params.find(param.name);
      if (said != found->params.end()) params.try_emplace(said->first, said->second);
    }
    found->params = std::move(params);
  }
  return std::nullopt;
}

void add_segments(Plan& plan, bool fuse) {
  for (ChainPlan& chain : plan.chains) {
    if (fuse) {
      chain.segments.push_back({.first = 0, .last = chain.stages.size()});
      continue;
    }
    for (std::size_t stage = 0; stage < chain.stages.size(); ++stage) {
      chain.segments.push_back({.first = stage, .last = stage + 1});
    }
  }
}

}  // namespace

Compiled compile_text(const std::string& path, std::string text, const NodeRegistry& registry,
                      const CompileOptions& options) {
  Compiled compiled;
  const TokenBuffer tokens = lex(std::make_shared<const SourceBuffer>(path, std::move(text)));
  for (const Span secret : secret_values(tokens)) {
    compiled.diagnostics.hide(*tokens.source, secret);
  }
  TypedPipeline typed = check(parse(tokens, compiled.diagnostics), registry, options.params,
                              options.clusters, options.memory_budget, compiled.diagnostics);
  compiled.diagnostics.sort();
  if (compiled.diagnostics.has_errors()) return compiled;
  compiled.replacement =
      replace(typed.plan.sources, options.sources, NodeRole::Source, "source", registry);
  if (!compiled.replacement) {
    compiled.replacement =
        replace(typed.plan.sinks, options.sinks, NodeRole::Sink, "sink", registry);
  }
  if (compiled.replacement) return compiled;
  add_segments(typed.plan, options.fuse);
  compiled.plan = std::move(typed.plan);
  compiled.source_texts = std::move(typed.source_texts);
  compiled.sink_texts = std::move(typed.sink_texts);
  compiled.params = std::move(typed.params);
  compiled.paths = std::move(typed.paths);
  return compiled;
}

Compiled compile_file(const std::string& path, const NodeRegistry& registry,
                      const CompileOptions& options) {
  std::string text;
  if (auto unreadable = read_file(path, text)) return {.unreadable = std::move(unreadable)};
  return compile_text(path, std::move(text), registry, options);
}

}  // namespace kaspar::dsl
