// A row of numbers by fast_float, as one writes it: the peer of `parse csv`.
#pragma once

#include <fast_float/fast_float.h>

#include <cstddef>
#include <string_view>

namespace kaspar::bench {

inline constexpr std::size_t row_fields = 60;

/// Whether `text` is row_fields numbers with commas between; they are in `row` then.
inline bool read_row(std::string_view text, float* row) noexcept {
  const char* next = text.data();
  const char* const end = next + text.size();
  for (std::size_t i = 0; i < row_fields; ++i) {
    const auto [stop, error] = fast_float::from_chars(next, end, row[i]);
    if (error != std::errc{}) return false;
    if (i + 1 == row_fields) return stop == end;
    if (stop == end || *stop != ',') return false;
    next = stop + 1;
  }
  return false;
}

}  // namespace kaspar::bench
