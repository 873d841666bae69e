// The files in which a model keeps weights outside of its own: exporters write `NAME.onnx.data`.
#pragma once

#include <expected>
#include <set>
#include <string>

#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// Paths of all of them, of a model that `check` accepted; K0405 where it cannot be read any more.
[[nodiscard]] std::expected<std::set<std::string>, Issue> outside_files(const std::string& model);

}  // namespace kaspar::nodes
