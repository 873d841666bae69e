#include "dsl/source/source_buffer.hpp"

#include <algorithm>
#include <utility>

namespace kaspar::dsl {
namespace {

constexpr std::size_t milestone_distance = 512;  // bytes

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

unsigned byte_at(std::string_view text, std::size_t index) {
  return static_cast<unsigned char>(text[index]);
}

bool continues(std::string_view text, std::size_t index) {
  return index < text.size() && (byte_at(text, index) & 0xC0u) == 0x80u;
}

}  // namespace

std::size_t utf8_length(std::string_view text) noexcept {
  if (text.empty()) return 0;
  const unsigned lead = byte_at(text, 0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4 || !continues(text, 1)) return 0;
  if (lead < 0xE0) return 2;
  const unsigned second = byte_at(text, 1);
  if (!continues(text, 2)) return 0;
  if (lead < 0xF0) {
    // Overlong forms, and the surrogates of UTF-16.
    return (lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F) ? 0 : 3;
  }
  if (!continues(text, 3)) return 0;
  return (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F) ? 0 : 4;
}

std::uint32_t count_code_points(std::string_view text) noexcept {
  std::uint32_t count = 0;
  while (!text.empty()) {
    text.remove_prefix(std::max<std::size_t>(1, utf8_length(text)));
    ++count;
  }
  return count;
}

SourceBuffer::SourceBuffer(std::string path, std::string bytes)
    : path_(std::move(path)), bytes_(std::move(bytes)) {
  if (bytes_.starts_with(byte_order_mark)) mark_ = byte_order_mark.size();
  line_begins_.push_back(0);
  const std::string_view all = text();
  for (std::size_t end = all.find('\n'); end != std::string_view::npos;
       end = all.find('\n', end + 1)) {
    line_begins_.push_back(static_cast<std::uint32_t>(end + 1));
  }
  Milestone at;
  while (at.offset < all.size()) {
    if (milestones_.empty() || at.offset - milestones_.back().offset >= milestone_distance) {
      milestones_.push_back(at);
    }
    at.offset +=
        static_cast<std::uint32_t>(std::max<std::size_t>(1, utf8_length(all.substr(at.offset))));
    ++at.code_points;
  }
}

std::uint32_t SourceBuffer::code_points_before(std::uint32_t offset) const noexcept {
  const auto next = std::ranges::upper_bound(milestones_, offset, {}, &Milestone::offset);
  const Milestone from = next == milestones_.begin() ? Milestone{} : *std::prev(next);
  return from.code_points + count_code_points(text().substr(from.offset, offset - from.offset));
}

std::uint32_t SourceBuffer::line_begin(std::uint32_t offset) const noexcept {
  return *std::prev(std::upper_bound(line_begins_.begin(), line_begins_.end(), offset));
}

std::string_view SourceBuffer::line_at(std::uint32_t offset) const noexcept {
  const auto next = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  const std::uint32_t begin = *std::prev(next);
  std::string_view line =
      text().substr(begin, next == line_begins_.end() ? std::string_view::npos : *next - 1 - begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Position SourceBuffer::position(std::uint32_t offset) const noexcept {
  const auto next = std::upper_bound(line_begins_.begin(), line_begins_.end(), offset);
  const std::uint32_t begin = *std::prev(next);
  return {.line = static_cast<std::uint32_t>(next - line_begins_.begin()),
          .column = code_points_before(offset) - code_points_before(begin) + 1,
          .byte = static_cast<std::uint32_t>(offset + mark_)};
}

std::size_t SourceBuffer::invalid_utf8() const noexcept {
  const std::string_view all = text();
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t length = utf8_length(all.substr(at));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

}  // namespace kaspar::dsl
