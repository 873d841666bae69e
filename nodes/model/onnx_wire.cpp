#include "nodes/model/onnx_wire.hpp"

namespace kaspar::nodes {
namespace {

FileRefused damaged() { return {"it is damaged or no ONNX file"}; }

}  // namespace

std::uint64_t WireReader::long_varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (at_end()) throw damaged();
    const std::uint8_t byte = file_.at(rest_.start++);
    value |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if (byte < 0x80) return value;
  }
  throw damaged();
}

std::uint64_t WireReader::fixed(unsigned bytes) {
  if (rest_.size() < bytes) throw damaged();
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(file_.at(rest_.start++)) << (8 * i);
  }
  return value;
}

bool WireReader::next(WireField& field) {
  if (at_end()) return false;
  field.whole.start = rest_.start;
  const std::uint64_t tag = varint();
  field.number = tag >> 3U;
  field.type = static_cast<WireType>(tag & 7U);
  switch (field.type) {
    case WireType::Varint:
      field.value = varint();
      break;
    case WireType::Fixed64:
      field.value = fixed(8);
      break;
    case WireType::Fixed32:
      field.value = fixed(4);
      break;
    case WireType::Bytes: {
      const std::uint64_t size = varint();
      if (size > rest_.size()) throw damaged();
      field.bytes = {rest_.start, rest_.start + size};
      rest_.start += size;
      break;
    }
    default:
      throw damaged();
  }
  if (field.number == 0) throw damaged();
  field.whole.end = rest_.start;
  return true;
}

std::uint64_t count_varints(FileBytes& file, const WireField& field) {
  if (field.type != WireType::Bytes) return 1;
  std::uint64_t count = 0;
  for (std::uint64_t at = field.bytes.start; at < field.bytes.end; ++at) {
    if (file.at(at) < 0x80) ++count;
  }
  return count;
}

}  // namespace kaspar::nodes
