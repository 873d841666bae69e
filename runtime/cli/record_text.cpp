#include "runtime/cli/record_text.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstddef>
#include <ctime>
#include <iterator>

namespace kaspar::cli {
namespace {

void append_escaped(std::string& line, std::string_view text) {
  for (const char byte : text) {
    const auto code = static_cast<unsigned char>(byte);
    if (byte == '\n') {
      line += "\\n";
    } else if (byte == '\r') {
      line += "\\r";
    } else if (byte == '\t') {
      line += "\\t";
    } else if (code < 0x20 || code == 0x7f) {
      fmt::format_to(std::back_inserter(line), "\\x{:02x}", code);
    } else {
      line += byte;
    }
  }
}

/// Bytes of the code point at the start of `text`; 0 where it is none (Unicode 15, table 3-7).
std::size_t code_point_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const auto continues = [&](std::size_t i) { return (byte(i) & 0xc0u) == 0x80u; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool short_form = first == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = first == 0xed && byte(1) > 0x9f;
    return continues(1) && continues(2) && !short_form && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool short_form = first == 0xf0 && byte(1) < 0x90;
    const bool too_large = first == 0xf4 && byte(1) > 0x8f;
    return continues(1) && continues(2) && continues(3) && !short_form && !too_large ? 4 : 0;
  }
  return 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = code_point_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

void append_base64(std::string& out, std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      const bool padding = k > bytes.size() - i;
      out += padding ? '=' : digits[group >> (18 - 6 * k) & 63u];
    }
  }
}

void append_json(std::string& out, const std::optional<std::string_view>& text) {
  if (!text) {
    out += "null";
    return;
  }
  out += '"';
  if (!is_utf8(*text)) {
    out += "base64:";
    append_base64(out, *text);
  } else {
    for (const char byte : *text) {
      const auto code = static_cast<unsigned char>(byte);
      if (byte == '"' || byte == '\\') {
        out += '\\';
        out += byte;
      } else if (code < 0x20 || code == 0x7f) {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
      } else {
        out += byte;
      }
    }
  }
  out += '"';
}

}  // namespace

std::string record_line(const PrintedRecord& record) {
  std::string line = "topic = ";
  append_escaped(line, record.topic);
  line += " key = ";
  append_escaped(line, record.key.value_or("null"));
  line += " value = ";
  append_escaped(line, record.value.value_or("null"));
  return line;
}

std::string record_json(const PrintedRecord& record) {
  std::string line = "{\"topic\":";
  append_json(line, record.topic);
  line += ",\"key\":";
  append_json(line, record.key);
  line += ",\"value\":";
  append_json(line, record.value);
  line += '}';
  return line;
}

std::string clock_key(std::int64_t start, std::uint64_t row) {
  const auto now = static_cast<std::time_t>(start + static_cast<std::int64_t>(row));
  return fmt::format("{:%d-%m-%Y %H:%M:%S}", fmt::gmtime(now));
}

}  // namespace kaspar::cli
