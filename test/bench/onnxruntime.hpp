// A model on ONNX Runtime, the peer that kaspar's own kernels are measured beside. Loaded at run
// time, so that nothing of kaspar depends on it.
//
// The C interface is a table of functions that only ever grows (OrtApi in onnxruntime_c_api.h), so
// an entry keeps its index; no header is needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>

namespace kaspar::bench {

/// One thread for the work within and between operators. Inputs [rows, width, 1] or [rows, width]
/// of f32, as the model has it. Used by one thread.
class OnnxSession {
 public:
  /// `library` is a path to libonnxruntime.so. The error says what cannot be loaded.
  [[nodiscard]] static std::expected<OnnxSession, std::string> open(const std::string& library,
                                                                    const std::string& model);
  OnnxSession(OnnxSession&&) noexcept;
  OnnxSession& operator=(OnnxSession&&) noexcept;
  ~OnnxSession();

  /// Runs `shape[0]` rows; the first output's data goes to `scores`, as many numbers as it has room
  /// for. Ends the process with a message if the runtime refuses.
  void run(std::span<float> input, std::span<const std::int64_t> shape, std::span<float> scores);

  [[nodiscard]] const std::string& version() const noexcept;

 private:
  struct Loaded;
  explicit OnnxSession(std::unique_ptr<Loaded> loaded);
  std::unique_ptr<Loaded> loaded_;
};

}  // namespace kaspar::bench
