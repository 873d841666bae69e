// What a model takes, counted against what it may take.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "nodes/model/file_bytes.hpp"

namespace kaspar::nodes {

/// "1.5 MiB"
[[nodiscard]] inline std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double size = static_cast<double>(bytes) / 1024;
  const char* unit = "KiB";
  for (const char* next : {"MiB", "GiB"}) {
    if (size < 1024) break;
    size /= 1024;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", size, size < 10 ? 1 : 0, unit);
}

class MemoryMeter {
 public:
  explicit MemoryMeter(std::uint64_t limit) : limit_(limit) {}

  /// Throws FileRefused (K0407) where it is too much.
  void take(std::uint64_t bytes) {
    if (bytes > limit_ - taken_) {
      throw FileRefused{
          .reason = fmt::format("it takes more memory than the {} that it may", bytes_text(limit_)),
          .help = "give the run a larger `memory_budget` below `[run]` in the profile",
          .code = DiagnosticCode::K0407};
    }
    taken_ += bytes;
  }
  /// The same for so many of that size each.
  void take(std::uint64_t count, std::uint64_t each) {
    take(each != 0 && count > limit_ / each ? limit_ + 1 : count * each);
  }
  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }

 private:
  std::uint64_t limit_;
  std::uint64_t taken_ = 0;
};

}  // namespace kaspar::nodes
