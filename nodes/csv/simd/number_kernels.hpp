// The loops of `parse csv` over the bytes of a record, compiled for each instruction set.
//
// They know records without quotes, and short plain numbers such as `-12.5`; what else there is
// they leave to their caller. Thread-safe: they have no state.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace kaspar::nodes::csv {

/// Where the fields of a record end, as if it had no quotes.
struct FieldEnds {
  uint32_t* ends;   // [1 + room]: ends[0] is what comes before 0, ends[1 + i] the end of field i
  uint64_t* tails;  // [room]: the eight bytes before that, of which those before the record are 0
  size_t room;      // fields; at least `spare_fields` more than are wanted
};

inline constexpr size_t spare_fields = 64;

struct Split {
  bool plain;     // no quote and no line break: every delimiter ends a field
  size_t fields;  // also those that there was no room for
};

/// Fields that are read by one call, at most: one bit of its answer each.
inline constexpr size_t most_numbers = 64;

struct NumberKernels {
  /// Fills at least the first `room - spare_fields` fields. A record without bytes has one.
  Split (*split)(const char* text, size_t size, char delimiter, FieldEnds found) noexcept;

  // Reads `count` fields, from `ends[0]` to `ends[count]`, with the nearest number. Bit i is set
  // where field i is none that is taken, and values[i] is anything then. All that are taken: an
  // optional minus, then up to eight characters, digits and at most one point among them, eight
  // together with the minus; as f32 those alone whose digits make at most 2^24.
  uint64_t (*read_f32)(const uint32_t* ends, const uint64_t* tails, size_t count,
                       float* values) noexcept;
  uint64_t (*read_f64)(const uint32_t* ends, const uint64_t* tails, size_t count,
                       double* values) noexcept;
};

extern const NumberKernels portable_numbers;
extern const NumberKernels plain_numbers;  // their twin, which reads numbers one by one
#if defined(__x86_64__)
extern const NumberKernels avx2_numbers;
extern const NumberKernels avx512_numbers;
#endif

}  // namespace kaspar::nodes::csv
