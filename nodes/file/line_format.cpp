#include "nodes/file/line_format.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <iterator>

namespace kaspar::nodes::file {
namespace {

void append_base64(std::string& out, std::string_view bytes) {
  static constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto at = [&](std::size_t index) {
    return index < bytes.size() ? static_cast<unsigned char>(bytes[index]) : 0U;
  };
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const unsigned group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    out += digits[group >> 18 & 63U];
    out += digits[group >> 12 & 63U];
    out += i + 1 < bytes.size() ? digits[group >> 6 & 63U] : '=';
    out += i + 2 < bytes.size() ? digits[group & 63U] : '=';
  }
}

void append_json(std::string& out, std::string_view bytes) {
  out += '"';
  if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
    out += "base64:";
    append_base64(out, bytes);
    out += '"';
    return;
  }
  for (const char c : bytes) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void append_dead_letter(std::string& out, const OutputRecord& record) {
  const DeadLetter& dead = *record.dead_letter;
  const auto text = [&out](std::string_view name, bool present, std::string_view value) {
    fmt::format_to(std::back_inserter(out), "\"{}\":", name);
    if (present) {
      append_json(out, value);
    } else {
      out += "null";
    }
    out += ',';
  };
  const auto number = [&out](std::string_view name, bool present, std::int64_t value) {
    fmt::format_to(std::back_inserter(out), "\"{}\":{}", name,
                   present ? fmt::to_string(value) : std::string{"null"});
  };
  out += '{';
  text("raw", record.has_value, record.value);
  text("key", record.has_key, record.key);
  text("stage", true, dead.stage);
  text("code", true, name_of(dead.code));
  text("message", true, dead.message);
  text("topic", !dead.topic.empty(), dead.topic);
  number("partition", !dead.topic.empty(), dead.partition);
  out += ',';
  number("offset", dead.offset >= 0, dead.offset);
  out += '}';
}

}  // namespace

void append_line(std::string& out, const OutputRecord& record, bool show_key) {
  if (record.dead_letter != nullptr) {
    append_dead_letter(out, record);
  } else if (show_key) {
    out += "key = ";
    out += record.has_key ? record.key : std::string_view{"null"};
    out += " value = ";
    out += record.has_value ? record.value : std::string_view{"null"};
  } else if (record.has_value) {
    out += record.value;
  }
  out += '\n';
}

}  // namespace kaspar::nodes::file
