#include "nodes/csv/csv_scan.hpp"

#include <cstring>

namespace kaspar::nodes::csv {
namespace {

const char* find(const char* begin, const char* end, char wanted) noexcept {
  if (begin == end) return end;
  const void* found = std::memchr(begin, wanted, static_cast<std::size_t>(end - begin));
  return found == nullptr ? end : static_cast<const char*>(found);
}

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
