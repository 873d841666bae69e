// Finds delimiters 64 bytes at a time: one bit a byte, the first byte's the lowest.
//
// Included only by what is compiled for each instruction set; see number_kernels.hpp. Everything
// has internal linkage, and no function of the standard library is used that might not be inlined:
// the linker could take it for that of another set.
#pragma once

#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "nodes/csv/simd/number_kernels.hpp"

namespace kaspar::nodes::csv {
namespace {

inline constexpr size_t block_size = 64;

struct BlockBits {
  uint64_t delimiters;
  uint64_t special;  // quotes and line breaks
};

#if defined(__AVX512BW__)

class Comparison {
 public:
  explicit Comparison(char delimiter) noexcept : delimiter_(_mm512_set1_epi8(delimiter)) {}

  [[gnu::always_inline]] BlockBits operator()(const char* block) const noexcept {
    return compare(_mm512_loadu_si512(block));
  }
  [[gnu::always_inline]] BlockBits last(const char* block, size_t size) const noexcept {
    const uint64_t there = ~uint64_t{0} >> (block_size - size);
    const BlockBits bits = compare(_mm512_maskz_loadu_epi8(there, block));
    return {bits.delimiters & there, bits.special};
  }

 private:
  [[gnu::always_inline]] BlockBits compare(__m512i text) const noexcept {
    return {_mm512_cmpeq_epi8_mask(text, delimiter_),
            _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('"')) |
                _mm512_cmpeq_epi8_mask(text, _mm512_set1_epi8('\n'))};
  }

  __m512i delimiter_;
};

#else

#if defined(__AVX2__)
struct Text {
  static constexpr size_t size = 32;
  __m256i bytes;
  explicit Text(char each) noexcept : bytes(_mm256_set1_epi8(each)) {}
  explicit Text(const char* from) noexcept
      : bytes(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))) {}
  [[gnu::always_inline]] uint64_t equal(Text other) const noexcept {
    return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, other.bytes)));
  }
};
#elif defined(__SSE2__)
struct Text {
  static constexpr size_t size = 16;
  __m128i bytes;
  explicit Text(char each) noexcept : bytes(_mm_set1_epi8(each)) {}
  explicit Text(const char* from) noexcept
      : bytes(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))) {}
  [[gnu::always_inline]] uint64_t equal(Text other) const noexcept {
    return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, other.bytes)));
  }
};
#else
struct Text {
  static constexpr size_t size = 1;
  char byte;
  explicit Text(char each) noexcept : byte(each) {}
  explicit Text(const char* from) noexcept : byte(*from) {}
  [[gnu::always_inline]] uint64_t equal(Text other) const noexcept { return byte == other.byte; }
};
#endif

class Comparison {
 public:
  explicit Comparison(char delimiter) noexcept : delimiter_(delimiter) {}

  [[gnu::always_inline]] BlockBits operator()(const char* block) const noexcept {
    BlockBits bits{0, 0};
    for (size_t at = 0; at < block_size; at += Text::size) {
      const Text text(block + at);
      bits.delimiters |= text.equal(delimiter_) << at;
      bits.special |= (text.equal(quote_) | text.equal(line_break_)) << at;
    }
    return bits;
  }
  [[gnu::always_inline]] BlockBits last(const char* block, size_t size) const noexcept {
    char whole[block_size] = {};
    __builtin_memcpy(whole, block, size);
    const BlockBits bits = (*this)(whole);
    return {bits.delimiters & ~uint64_t{0} >> (block_size - size), bits.special};
  }

 private:
  Text delimiter_;
  Text quote_{'"'};
  Text line_break_{'\n'};
};

#endif

inline Split split(const char* text, size_t size, char delimiter, FieldEnds found) noexcept {
  // The bytes before an end that is nearer to the record's begin than eight.
  char head[16] = {};
  __builtin_memcpy(head + 8, text, size < 8 ? size : 8);
  const Comparison compare(delimiter);
  uint32_t* const ends = found.ends + 1;
  found.ends[0] = ~uint32_t{0};
  size_t fields = 0;
  uint64_t special = 0;
  const auto add = [&](size_t end) {
    ends[fields] = static_cast<uint32_t>(end);
    __builtin_memcpy(found.tails + fields, end < 8 ? head + end : text + end - 8, 8);
    ++fields;
  };
  for (size_t base = 0; base < size; base += block_size) {
    const BlockBits bits =
        size - base >= block_size ? compare(text + base) : compare.last(text + base, size - base);
    special |= bits.special;
    if (fields + block_size > found.room) {
      fields += static_cast<size_t>(__builtin_popcountll(bits.delimiters));
      continue;
    }
    for (uint64_t left = bits.delimiters; left != 0; left &= left - 1) {
      add(base + static_cast<size_t>(__builtin_ctzll(left)));
    }
  }
  if (fields < found.room) {
    add(size);
  } else {
    ++fields;
  }
  return {special == 0, fields};
}

}  // namespace
}  // namespace kaspar::nodes::csv
