// Finds the fields of a CSV record (RFC 4180): where they begin and end, and how their quotes come
// off. Knows nothing of types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runtime/core/batch.hpp"

namespace kaspar::nodes::csv {

/// A record's text without the line break that ends it, if one does: LF, CRLF, or the CR that
/// a reader of lines leaves.
[[nodiscard]] std::string_view without_line_end(std::string_view record) noexcept;

enum class Layout : std::uint8_t {
  Sound,
  OpenQuote,       // a quoted field never ends
  TextAfterQuote,  // something but a delimiter follows a closing quote
  QuoteInside,     // a quote within a field that does not begin with one
  SeveralLines,    // a line break outside quotes
};

struct Scan {
  Layout layout = Layout::Sound;
  std::size_t fields = 0;  // where layout is not Sound: the field (from 1) that is broken
};

/// Judges the quotes of a record and counts its fields; an empty record has one, which is empty.
[[nodiscard]] Scan scan(std::string_view record, char delimiter) noexcept;

struct Field {
  std::string_view text;  // quotes taken off
  bool quoted = false;
};

/// Takes the fields of a Sound record one by one. A text is a view of the record, or of `arena`
/// where doubled quotes had to be undone.
class FieldReader {
 public:
  FieldReader(std::string_view record, char delimiter, TextArena& arena) noexcept
      : next_(record.data()),
        end_(record.data() + record.size()),
        arena_(arena),
        delimiter_(delimiter) {}

  /// Called at most as often as the record has fields.
  [[nodiscard]] Field next() noexcept;

 private:
  const char* next_;
  const char* end_;
  TextArena& arena_;
  char delimiter_;
};

}  // namespace kaspar::nodes::csv
