// Short plain decimal numbers (`-12.5`), eight characters at a time in one register.
//
// The value is a whole number divided by a power of ten. Both are exact in the type that divides
// them, so the quotient is rounded once and hence the nearest (W. D. Clinger, "How to read floating
// point numbers accurately", 1990). Where an f32's whole number does not fit, f64 divides, and the
// second rounding is harmless unless the quotient lies half-way between two f32: that is seen, and
// left to others.
//
// Eight digits make a number by three multiplications (D. Lemire, "Quickly parsing eight digits",
// 2018).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace kaspar::nodes::csv {
namespace number {

inline constexpr std::array<double, 16> powers{1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                               1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
inline constexpr std::array<float, 11> float_powers{1e0F, 1e1F, 1e2F, 1e3F, 1e4F, 1e5F,
                                                    1e6F, 1e7F, 1e8F, 1e9F, 1e10F};

inline constexpr std::uint64_t each(std::uint8_t byte) noexcept {
  return byte * std::uint64_t{0x0101010101010101};
}

/// Up to eight characters that end in the highest byte; `keep` covers them.
struct Characters {
  std::uint64_t text = 0;
  std::uint64_t keep = 0;
};

/// Of eight characters the last `count` (1 to 8), which belong to the number.
[[gnu::always_inline]] inline Characters last_of(std::uint64_t text, std::size_t count) noexcept {
  const std::uint64_t keep = ~std::uint64_t{0} << ((64 - 8 * count) & 63);
  return {text & keep, keep};
}

[[gnu::always_inline]] inline Characters load(const char* end, std::size_t count) noexcept {
  std::uint64_t text = 0;
  std::memcpy(&text, end - 8, 8);
  return last_of(text, count);
}

/// The top bit of the byte where the point stands, 0 where there is none. Where there are two, or
/// what is not ASCII, something comes out that combine() refuses.
[[gnu::always_inline]] inline std::uint64_t find_point(std::uint64_t text) noexcept {
  const std::uint64_t x = text ^ each('.');
  return ~((x + each(0x7f)) | x) & each(0x80);
}

/// Takes the point's byte out; `carry` comes into the lowest byte then.
[[gnu::always_inline]] inline void remove_point(Characters& of, std::uint64_t point,
                                                std::uint64_t carry) noexcept {
  const std::uint64_t before = of.text & ((point >> 7) - 1);
  const std::uint64_t behind = of.text & ~((point << 1) - 1);
  of.text = behind | before << 8 | carry;
}

/// The number that the characters make, if all are digits.
[[gnu::always_inline]] inline bool combine(const Characters& of, std::uint64_t& value) noexcept {
  std::uint64_t digits = (of.text ^ each('0')) & of.keep;
  if ((((digits + each(0x76)) | digits) & each(0x80)) != 0) return false;
  digits = digits * 10 + (digits >> 8);
  constexpr std::uint64_t pairs = 0x000000FF000000FF;
  value =
      ((digits & pairs) * 0x000F424000000064 + ((digits >> 16) & pairs) * 0x0000271000000001) >> 32;
  return true;
}

template <class T>
[[gnu::always_inline]] inline bool divide(std::uint64_t whole, std::size_t decimals,
                                          T& value) noexcept {
  if constexpr (std::is_same_v<T, float>) {
    if (whole <= std::uint64_t{1} << 24 && decimals < float_powers.size()) {
      value = static_cast<float>(static_cast<std::int32_t>(whole)) / float_powers[decimals];
      return true;
    }
  }
  if (whole > std::uint64_t{1} << 53) return false;
  const double exact = static_cast<double>(static_cast<std::int64_t>(whole)) / powers[decimals];
  if constexpr (std::is_same_v<T, float>) {
    constexpr std::uint64_t lost = (std::uint64_t{1} << 29) - 1;
    constexpr std::uint64_t half = std::uint64_t{1} << 28;
    if ((std::bit_cast<std::uint64_t>(exact) & lost) == half) return false;
  }
  value = static_cast<T>(exact);
  return true;
}

/// The digits of 1 to 8 characters as one number, and how many stand behind the point.
[[gnu::always_inline]] inline bool read_digits(Characters text, std::uint64_t& whole,
                                               std::size_t& decimals) noexcept {
  const std::uint64_t point = find_point(text.text);
  decimals = 0;
  if (point != 0) {
    decimals = static_cast<std::size_t>(std::countl_zero(point)) / 8;
    remove_point(text, point, 0);
    text.keep <<= 8;
    if (text.keep == 0) return false;
  }
  return combine(text, whole);
}

/// A field of `length` characters, of which `tail` are the last eight: a minus and digits that fit
/// there, whose number f32 holds exactly if T is that.
template <class T>
[[gnu::always_inline]] inline bool read_tail(std::uint64_t tail, std::size_t length,
                                             T& value) noexcept {
  if constexpr (std::endian::native != std::endian::little) return false;
  if (length == 0 || length > 8) return false;
  const bool negative = (tail >> (64 - 8 * length) & 0xFF) == '-';
  const std::size_t count = length - (negative ? 1 : 0);
  std::uint64_t whole = 0;
  std::size_t decimals = 0;
  if (count == 0 || !read_digits(last_of(tail, count), whole, decimals)) return false;
  T read = 0;
  if constexpr (std::is_same_v<T, float>) {
    if (whole > std::uint64_t{1} << 24) return false;
    read = static_cast<float>(static_cast<std::int32_t>(whole)) / float_powers[decimals];
  } else {
    read = static_cast<double>(static_cast<std::int64_t>(whole)) / powers[decimals];
  }
  value = negative ? -read : read;
  return true;
}

/// 1 to 8 characters; 8 before `end` can be read.
template <class T>
[[gnu::always_inline]] inline bool read_word(const char* end, std::size_t count,
                                             T& value) noexcept {
  std::uint64_t whole = 0;
  std::size_t decimals = 0;
  return read_digits(load(end, count), whole, decimals) && divide(whole, decimals, value);
}

/// 9 to 16 characters; 16 before `end` can be read.
template <class T>
[[gnu::noinline]] bool read_words(const char* end, std::size_t count, T& value) noexcept {
  Characters low = load(end, 8);
  Characters high = load(end - 8, count - 8);
  std::size_t decimals = 0;
  if (const std::uint64_t in_high = find_point(high.text); in_high != 0) {
    decimals = 8 + static_cast<std::size_t>(std::countl_zero(in_high)) / 8;
    remove_point(high, in_high, 0);
    high.keep <<= 8;
  } else if (const std::uint64_t in_low = find_point(low.text); in_low != 0) {
    decimals = static_cast<std::size_t>(std::countl_zero(in_low)) / 8;
    remove_point(low, in_low, high.text >> 56);
    high.text <<= 8;
    high.keep <<= 8;
  }
  std::uint64_t upper = 0;
  std::uint64_t lower = 0;
  return combine(high, upper) && combine(low, lower) &&
         divide(upper * 100'000'000 + lower, decimals, value);
}

}  // namespace number

/// Reads the field begin..end, T being float or double, if it is such a number of at most 16
/// characters beside its minus sign; else `value` is as it was and the answer false, which says
/// nothing of the field. `before`: bytes that can be read before `end`, at least the field's own.
template <class T>
[[nodiscard, gnu::always_inline]] inline bool read_short_number(const char* begin, const char* end,
                                                                std::size_t before,
                                                                T& value) noexcept {
  if constexpr (std::endian::native != std::endian::little) return false;
  if (begin == end) return false;
  const bool negative = *begin == '-';
  const auto count = static_cast<std::size_t>(end - begin) - (negative ? 1 : 0);
  if (count == 0 || count > 16) return false;
  std::array<char, 16> room{};
  if (before < room.size()) [[unlikely]] {
    std::memcpy(room.data() + room.size() - count, end - count, count);
    end = room.data() + room.size();
  }
  T read = 0;
  if (!(count <= 8 ? number::read_word(end, count, read) : number::read_words(end, count, read))) {
    return false;
  }
  value = negative ? -read : read;
  return true;
}

}  // namespace kaspar::nodes::csv
