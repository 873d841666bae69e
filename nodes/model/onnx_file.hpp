// Opens ONNX files, which may come from anybody.
#pragma once

#include <expected>
#include <string>

#include "nodes/model/graph.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// Reads a model and the weights beside it. Bounded in memory whatever the file holds; weights are
/// taken only from regular files inside the model's own folder. Anything else is K0405 at the path,
/// or K0404 for what kaspar does not execute.
[[nodiscard]] std::expected<Graph, Issue> read_onnx(const std::string& path);

}  // namespace kaspar::nodes
