// The text of one file, and where its bytes stand in lines and columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kaspar::dsl {

/// Bytes [begin, end) of a SourceBuffer.
struct Span {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend bool operator==(const Span&, const Span&) = default;
};

/// As diagnostics show it: line and column count from 1, columns in code points; byte from 0 in the
/// file as it was read, a byte-order mark included.
struct Position {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::uint32_t byte = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

/// Immutable once made; views into it live as long as it does.
class SourceBuffer {
 public:
  /// Files larger than this are refused by whoever reads them: spans hold 32 bits, and no pipeline
  /// is that long.
  static constexpr std::size_t largest = 64u << 20;

  /// Takes the bytes of a file as they are. A byte-order mark is skipped by text().
  SourceBuffer(std::string path, std::string bytes);

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  /// All bytes after a byte-order mark, which spans index.
  [[nodiscard]] std::string_view text() const noexcept {
    return std::string_view(bytes_).substr(mark_);
  }
  [[nodiscard]] std::string_view text(Span span) const noexcept {
    return text().substr(span.begin, span.end - span.begin);
  }

  [[nodiscard]] Position position(std::uint32_t offset) const noexcept;
  /// The line that holds the offset, without its end.
  [[nodiscard]] std::string_view line_at(std::uint32_t offset) const noexcept;
  /// Where that line begins.
  [[nodiscard]] std::uint32_t line_begin(std::uint32_t offset) const noexcept;

  /// Offset of the first byte that is no UTF-8 (RFC 3629), or npos.
  [[nodiscard]] std::size_t invalid_utf8() const noexcept;

 private:
  std::string path_;
  std::string bytes_;
  std::size_t mark_ = 0;
  /// Code points that begin before `offset`, counted from the nearest milestone.
  [[nodiscard]] std::uint32_t code_points_before(std::uint32_t offset) const noexcept;

  struct Milestone {
    std::uint32_t offset = 0;  // where a code point begins
    std::uint32_t code_points = 0;
  };
  std::vector<std::uint32_t> line_begins_;
  std::vector<Milestone> milestones_;  // so that places on a long line are found at once
};

/// Length in bytes of the well-formed UTF-8 sequence at the start of `text`; 0 if there is none.
[[nodiscard]] std::size_t utf8_length(std::string_view text) noexcept;

/// Code points of `text`; a byte that is no UTF-8 counts as one.
[[nodiscard]] std::uint32_t count_code_points(std::string_view text) noexcept;

}  // namespace kaspar::dsl
