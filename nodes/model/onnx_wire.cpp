#include "nodes/model/onnx_wire.hpp"

#include <cstdint>

namespace kaspar::nodes {
namespace {

enum class Message { Model, Graph, Node, Attribute, Tensor, Leaf, Opaque };

/// What field `number` of a message holds; Leaf: bytes or text that count as one object.
Message inside(Message message, std::uint64_t number) {
  switch (message) {
    case Message::Model:
      if (number == 7) return Message::Graph;
      return number == 8 || number == 14 || number == 20 || number == 25 ? Message::Opaque
                                                                         : Message::Leaf;
    case Message::Graph:
      if (number == 1) return Message::Node;
      if (number == 5) return Message::Tensor;
      return number >= 11 ? Message::Opaque : Message::Leaf;
    case Message::Node:
      return number == 5 ? Message::Attribute : Message::Leaf;
    case Message::Attribute:
      if (number == 5) return Message::Tensor;
      return number == 6 || number >= 10 ? Message::Opaque : Message::Leaf;
    case Message::Tensor:
      return number == 13 ? Message::Opaque : Message::Leaf;
    case Message::Leaf:
    case Message::Opaque:
      break;
  }
  return Message::Leaf;
}

class Wire {
 public:
  explicit Wire(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool at_end() const { return bytes_.empty(); }

  bool varint(std::uint64_t& value) {
    value = 0;
    for (unsigned shift = 0; shift < 64 && !bytes_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }
  bool take(std::uint64_t size, std::string_view& part) {
    if (size > bytes_.size()) return false;
    part = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return true;
  }

 private:
  std::string_view bytes_;
};

bool count(Message message, std::string_view bytes, std::size_t& total) {
  Wire wire(bytes);
  while (!wire.at_end()) {
    std::uint64_t tag = 0;
    std::uint64_t size = 0;
    std::string_view part;
    if (!wire.varint(tag)) return false;
    ++total;
    switch (tag & 7U) {
      case 0:
        if (!wire.varint(size)) return false;
        break;
      case 1:
        if (!wire.take(8, part)) return false;
        break;
      case 2: {
        if (!wire.varint(size) || !wire.take(size, part)) return false;
        const Message kind = inside(message, tag >> 3U);
        if (kind == Message::Opaque) {
          total += part.size() / 2;
        } else if (kind != Message::Leaf && !count(kind, part, total)) {
          return false;
        }
        break;
      }
      case 5:
        if (!wire.take(4, part)) return false;
        break;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::size_t> count_wire_fields(std::string_view model) noexcept {
  std::size_t total = 0;
  if (!count(Message::Model, model, total)) return std::nullopt;
  return total;
}

}  // namespace kaspar::nodes
