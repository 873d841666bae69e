// A look at a model file's bytes before they are parsed.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace kaspar::nodes {

/// An upper bound of the objects that parsing a ModelProto would make, without making them: 40 MB
/// of empty nodes would take 3 GB. Empty where the bytes are no protocol buffer. Format: Protocol
/// Buffers' encoding, field numbers of onnx-ml.proto.
[[nodiscard]] std::optional<std::size_t> count_wire_fields(std::string_view model) noexcept;

}  // namespace kaspar::nodes
