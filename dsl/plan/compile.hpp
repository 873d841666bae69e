// The compiler as a whole: a file becomes a plan, or diagnostics.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dsl/check/endpoint_text.hpp"
#include "dsl/check/resolved_param.hpp"
#include "dsl/diag/diagnostic.hpp"
#include "dsl/source/outside_value.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::dsl {

/// Another endpoint in place of one of the file's, as the command line gives it.
struct EndpointReplacement {
  std::string kind;
  Params params;
};

struct CompileOptions {
  /// All stages of a chain in one segment; otherwise each in its own.
  bool fuse = true;
  std::map<std::string, EndpointReplacement> sources;
  std::map<std::string, EndpointReplacement> sinks;
  /// For the file's parameters, the strongest first: command line, profile, environment.
  std::vector<OutsideValue> params;
  /// Names of the profile's clusters, which the option `cluster` must give one of; not checked
  /// where nothing is known of them.
  std::optional<std::vector<std::string>> clusters = std::nullopt;
  /// Bytes that a model may take.
  std::size_t memory_budget = RunSettings{}.memory_budget;
};

struct Compiled {
  std::optional<Plan> plan;                // only if there are no errors
  std::vector<EndpointText> source_texts;  // of the plan's sources, and sinks
  std::vector<EndpointText> sink_texts;
  std::vector<ResolvedParam> params;       // in source order; only if there are no errors
  std::vector<std::string> paths;          // as TypedPipeline; only if there are no errors
  Diagnostics diagnostics;                 // in source order
  std::optional<std::string> unreadable;   // why the file could not be read
  std::optional<std::string> replacement;  // why an endpoint cannot be replaced as asked
};

/// Compiles `text` as if the file `path` held it; paths in it are relative to that file's folder.
[[nodiscard]] Compiled compile_text(const std::string& path, std::string text,
                                    const NodeRegistry& registry, const CompileOptions& options);

/// The same for a file that is read first.
[[nodiscard]] Compiled compile_file(const std::string& path, const NodeRegistry& registry,
                                    const CompileOptions& options);

}  // namespace kaspar::dsl
