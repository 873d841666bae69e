// A model file's bytes, read where they are wanted: a file may be larger than the memory that its
// refusal may take.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"

namespace kaspar::nodes {

/// Thrown by what reads a model file; `read_onnx` returns it as an issue.
struct FileRefused {
  std::string reason;
  std::string help = {};
  DiagnosticCode code = DiagnosticCode::K0405;
};

/// Bytes [start, end) of a file.
struct ByteRange {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  [[nodiscard]] std::uint64_t size() const noexcept { return end - start; }
};

/// A regular file, open for reading. For one thread. Everything throws FileRefused where the file
/// cannot be read or ends too early.
class FileBytes {
 public:
  explicit FileBytes(const std::string& path);
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;
  ~FileBytes();

  [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
  /// One byte; cheap where its neighbours were read before.
  [[nodiscard]] std::uint8_t at(std::uint64_t offset) {
    if (offset < window_start_ || offset - window_start_ >= window_size_) fill_window(offset);
    return static_cast<std::uint8_t>(window_[offset - window_start_]);
  }
  void read(std::uint64_t offset, std::span<std::byte> to);
  void append(std::string& to, ByteRange range);
  [[nodiscard]] std::string text(ByteRange range) {
    std::string out;
    append(out, range);
    return out;
  }

 private:
  void fill_window(std::uint64_t offset);
  void read_file(std::uint64_t offset, std::span<std::byte> to) const;

  int descriptor_ = -1;
  std::uint64_t size_ = 0;
  std::vector<std::byte> window_;
  std::uint64_t window_start_ = 0;
  std::uint64_t window_size_ = 0;
};

}  // namespace kaspar::nodes
