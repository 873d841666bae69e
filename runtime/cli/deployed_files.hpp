// The files of a pipeline, as pods get them.
#pragma once

#include <expected>
#include <set>
#include <string>
#include <vector>

#include "runtime/cli/deployment.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::cli {

struct DeployedFiles {
  std::vector<DeployedFile> files;  // by their paths
  std::string pipeline;             // path of the pipeline's own among them
};

/// Reads `pipeline` and the `paths` beside it; those in `models` are models. Paths become relative
/// to the innermost folder that holds all.
[[nodiscard]] std::expected<DeployedFiles, Failure> read_deployed_files(
    const std::string& pipeline, const std::set<std::string>& paths,
    const std::set<std::string>& models);

/// A number that changes when the files do: 16 hexadecimal digits.
[[nodiscard]] std::string content_hash(const std::vector<const DeployedFile*>& files);

}  // namespace kaspar::cli
