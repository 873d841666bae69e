// The tensors of a model file: those in it, and those in the files beside it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "nodes/model/file_bytes.hpp"
#include "nodes/model/memory_meter.hpp"
#include "nodes/model/tensor.hpp"

namespace kaspar::nodes {

/// What a tensor of that onnx::TensorProto::DataType is here; none: it is not taken.
[[nodiscard]] std::optional<Element> element_of(std::int32_t data_type);

/// Reads tensors one by one, each within what the meter still gives. Weights outside the file are
/// taken from regular files whose real path lies in the model's real folder only. Everything else
/// is FileRefused.
class WeightReader {
 public:
  /// `path` is the model's. All outlive the reader.
  WeightReader(const std::string& path, FileBytes& model, MemoryMeter& memory)
      : path_(path), model_(model), memory_(memory) {}

  /// The TensorProto that lies there.
  [[nodiscard]] Tensor read(ByteRange message);
  /// Bytes that were read from other files.
  [[nodiscard]] std::uint64_t outside_bytes() const noexcept { return outside_bytes_; }
  /// Those files, each once.
  [[nodiscard]] const std::vector<std::string>& outside_files() const noexcept {
    return outside_files_;
  }

 private:
  struct Source {
    FileBytes& file;
    ByteRange bytes;
  };
  struct Header;

  [[nodiscard]] Header read_header(ByteRange message);
  [[nodiscard]] Source open_external(const Header& header);
  [[nodiscard]] std::string real_path(const Header& header, const std::string& location) const;
  template <class Stored, class To>
  void fill(const Header& header, Tensor& tensor, std::size_t count, ByteRange message);
  void fill_strings(const Header& header, Tensor& tensor, std::size_t count, ByteRange message);

  const std::string& path_;
  FileBytes& model_;
  MemoryMeter& memory_;
  // The file that the last tensor was in: most have one for all.
  std::string opened_path_;
  std::unique_ptr<FileBytes> opened_;
  std::uint64_t outside_bytes_ = 0;
  std::vector<std::string> outside_files_;
};

}  // namespace kaspar::nodes
