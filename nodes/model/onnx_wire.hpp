// The fields of a message in a file, one after the other, without making anything of them: 40 MB of
// empty nodes would take 3 GB as objects. Format: Protocol Buffers' encoding.
#pragma once

#include <cstdint>

#include "nodes/model/file_bytes.hpp"

namespace kaspar::nodes {

enum class WireType : std::uint8_t { Varint = 0, Fixed64 = 1, Bytes = 2, Fixed32 = 5 };

struct WireField {
  std::uint64_t number = 0;
  WireType type = WireType::Varint;
  std::uint64_t value = 0;  // of a varint or of fixed bits
  ByteRange whole;          // tag and all
  ByteRange bytes;          // what it holds, of WireType::Bytes

  /// A message, a string, packed numbers.
  [[nodiscard]] bool holds(std::uint64_t field) const noexcept {
    return number == field && type == WireType::Bytes;
  }
};

class WireReader {
 public:
  WireReader(FileBytes& file, ByteRange message) : file_(file), rest_(message) {}

  /// The next field; false at the end. Throws FileRefused where there is none.
  [[nodiscard]] bool next(WireField& field);
  [[nodiscard]] std::uint64_t varint() {
    // Nearly all tags and sizes are one byte.
    if (!at_end()) {
      const std::uint8_t byte = file_.at(rest_.start);
      if (byte < 0x80) return ++rest_.start, byte;
    }
    return long_varint();
  }
  [[nodiscard]] bool at_end() const noexcept { return rest_.start == rest_.end; }

 private:
  [[nodiscard]] std::uint64_t long_varint();
  [[nodiscard]] std::uint64_t fixed(unsigned bytes);

  FileBytes& file_;
  ByteRange rest_;
};

/// How many numbers a field of a repeated number has: one, or as many as are packed.
[[nodiscard]] std::uint64_t count_varints(FileBytes& file, const WireField& field);

}  // namespace kaspar::nodes
