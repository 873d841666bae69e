#include "nodes/csv/csv_scan.hpp"

#include <array>
#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace kaspar::nodes::csv {
namespace {

const char* find(const char* begin, const char* end, char wanted) noexcept {
  if (begin == end) return end;
  const void* found = std::memchr(begin, wanted, static_cast<std::size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

constexpr std::size_t block_size = 64;

/// One bit a character of a block, the first one's the lowest.
struct BlockBits {
  std::uint64_t delimiters = 0;
  std::uint64_t special = 0;  // quotes and line breaks
};

#if defined(__SSE2__)
BlockBits compare(const char* block, char delimiter) noexcept {
  const __m128i wanted = _mm_set1_epi8(delimiter);
  const __m128i quote = _mm_set1_epi8('"');
  const __m128i line_break = _mm_set1_epi8('\n');
  BlockBits bits;
  for (std::size_t at = 0; at < block_size; at += sizeof(__m128i)) {
    const __m128i text = _mm_loadu_si128(reinterpret_cast<const __m128i*>(block + at));
    const auto mask = [at](__m128i found) {
      return static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm_movemask_epi8(found))) << at;
    };
    bits.delimiters |= mask(_mm_cmpeq_epi8(text, wanted));
    bits.special |=
        mask(_mm_or_si128(_mm_cmpeq_epi8(text, quote), _mm_cmpeq_epi8(text, line_break)));
  }
  return bits;
}
#else
BlockBits compare(const char* block, char delimiter) noexcept {
  BlockBits bits;
  for (std::size_t at = 0; at < block_size; ++at) {
    const char c = block[at];
    bits.delimiters |= std::uint64_t{c == delimiter} << at;
    bits.special |= std::uint64_t{c == '"' || c == '\n'} << at;
  }
  return bits;
}
#endif

}  // namespace

std::string_view without_line_end(std::string_view record) noexcept {
  if (record.ends_with('\n')) record.remove_suffix(1);
  if (record.ends_with('\r')) record.remove_suffix(1);
  return record;
}

Scan scan(std::string_view record, char delimiter) noexcept {
  const char* p = record.data();
  const char* const end = p + record.size();
  Scan result{.fields = 1};
  while (true) {
    if (p != end && *p == '"') {
      ++p;
      while (true) {
        p = find(p, end, '"');
        if (p == end) return {.layout = Layout::OpenQuote, .fields = result.fields};
        ++p;
        if (p == end || *p != '"') break;
        ++p;
      }
      if (p == end) return result;
      if (*p == '\n') return {.layout = Layout::SeveralLines, .fields = result.fields};
      if (*p != delimiter) return {.layout = Layout::TextAfterQuote, .fields = result.fields};
    } else {
      for (; p != end && *p != delimiter; ++p) {
        if (*p == '"') return {.layout = Layout::QuoteInside, .fields = result.fields};
        if (*p == '\n') return {.layout = Layout::SeveralLines, .fields = result.fields};
      }
      if (p == end) return result;
    }
    ++p;
    ++result.fields;
  }
}

FieldEnds find_ends(std::string_view record, char delimiter,
                    std::span<std::uint32_t> ends) noexcept {
  std::size_t fields = 0;
  std::uint64_t special = 0;
  const auto add = [&](std::size_t base, BlockBits bits) {
    special |= bits.special;
    if (fields + block_size > ends.size()) {
      fields += static_cast<std::size_t>(std::popcount(bits.delimiters));
      return;
    }
    for (std::uint64_t left = bits.delimiters; left != 0; left &= left - 1) {
      ends[fields++] =
          static_cast<std::uint32_t>(base) + static_cast<std::uint32_t>(std::countr_zero(left));
    }
  };
  std::size_t base = 0;
  for (; base + block_size <= record.size(); base += block_size) {
    add(base, compare(record.data() + base, delimiter));
  }
  if (const std::size_t rest = record.size() - base; rest != 0) {
    std::array<char, block_size> block{};
    std::memcpy(block.data(), record.data() + base, rest);
    add(base, compare(block.data(), delimiter));
  }
  if (fields < ends.size()) ends[fields] = static_cast<std::uint32_t>(record.size());
  return {.plain = special == 0, .fields = fields + 1};
}

Field FieldReader::next() noexcept {
  if (next_ == end_ || *next_ != '"') {
    const char* const begin = next_;
    const char* const stop = find(begin, end_, delimiter_);
    next_ = stop == end_ ? end_ : stop + 1;
    return {.text = {begin, static_cast<std::size_t>(stop - begin)}};
  }
  const char* const begin = next_ + 1;
  const char* stop = begin;
  std::size_t doubled = 0;
  while (true) {
    stop = find(stop, end_, '"');
    if (stop == end_ || stop + 1 == end_ || stop[1] != '"') break;
    ++doubled;
    stop += 2;
  }
  next_ = end_ - stop <= 2 ? end_ : stop + 2;
  const auto size = static_cast<std::size_t>(stop - begin);
  if (doubled == 0) return {.text = {begin, size}, .quoted = true};
  char* const room = arena_.allocate(size - doubled);
  char* out = room;
  for (const char* p = begin; p != stop; ++p) {
    *out++ = *p;
    if (*p == '"') ++p;
  }
  return {.text = {room, size - doubled}, .quoted = true};
}

}  // namespace kaspar::nodes::csv
