// Opens ONNX files, which may come from anybody.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "nodes/model/graph.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

/// `check` refuses a file with operators that are not executed as soon as it sees one; to list them
/// all they are kept.
enum class UnknownOperators : std::uint8_t { Refused, Kept };

/// Reads a model and the weights beside it, which may take `budget` bytes together. Bounded in
/// memory and time whatever the file holds: what is made of it is a small multiple of its size, and
/// of none is more made than its own bounds allow. Weights are taken only from regular files
/// inside the model's own folder. A file that is damaged or refused is K0405 at the path, an
/// operator or version that is not executed K0404, too much memory K0407. `outside_files`: gets the
/// files beside it that weights were read from.
[[nodiscard]] std::expected<Graph, Issue> read_onnx(
    const std::string& path, std::uint64_t budget,
    UnknownOperators unknown = UnknownOperators::Refused,
    std::vector<std::string>* outside_files = nullptr);

}  // namespace kaspar::nodes
