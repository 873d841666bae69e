#include "dsl/lex/string_literal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace kaspar::dsl {
namespace {

constexpr std::string_view raw_quotes = "\"\"\"";

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Appends a code point that is no surrogate and at most U+10FFFF.
void append_utf8(std::string& text, std::uint32_t code) {
  const auto add = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0 | code >> 6);
  } else if (code < 0x10000) {
    add(0xE0 | code >> 12);
    add(0x80 | (code >> 6 & 0x3F));
  } else {
    add(0xF0 | code >> 18);
    add(0x80 | (code >> 12 & 0x3F));
    add(0x80 | (code >> 6 & 0x3F));
  }
  add(0x80 | (code & 0x3F));
}

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t begin) : text_(text), begin_(begin), at_(begin) {}

  ScannedString run() {
    if (text_.substr(at_).starts_with(raw_quotes)) {
      raw();
    } else {
      ++at_;
      quoted();
    }
    result_.end = at_;
    return std::move(result_);
  }

 private:
  static std::uint32_t offset(std::size_t at) { return static_cast<std::uint32_t>(at); }

  void fail(DiagnosticCode code, std::size_t from, std::string message, std::string help) {
    if (result_.error) return;
    result_.error = LexicalError{.code = code,
                                 .span = {offset(from), offset(at_)},
                                 .message = std::move(message),
                                 .label = {},
                                 .help = std::move(help)};
  }

  std::string& tail() {
    if (result_.literal.parts.empty() || result_.literal.parts.back().parameter) {
      result_.literal.parts.push_back(
          {.text = {}, .parameter = false, .span = {offset(at_), offset(at_)}});
    }
    return result_.literal.parts.back().text;
  }

  /// A byte of text; a byte that is no UTF-8 is an error.
  void take() {
    const std::size_t length = utf8_length(text_.substr(at_));
    std::string& text = tail();
    const std::size_t from = at_;
    text.append(text_.substr(at_, std::max<std::size_t>(1, length)));
    at_ += std::max<std::size_t>(1, length);
    if (length == 0) {
      fail(DiagnosticCode::K0101, from, "the file is not UTF-8 here",
           "save the file in the encoding UTF-8");
    }
  }

  void raw() {
    result_.literal.raw = true;
    at_ += raw_quotes.size();
    const std::size_t end = text_.find(raw_quotes, at_);
    if (end == std::string_view::npos) {
      // Nothing after it can be told from its text: only its first line is pointed at.
      at_ = std::min(text_.find('\n', begin_), text_.size());
      fail(DiagnosticCode::K0102, begin_, "unterminated string", R"(close it with `"""`)");
      at_ = text_.size();
      return;
    }
    while (at_ < end) take();
    at_ = end + raw_quotes.size();
  }

  void quoted() {
    for (;;) {
      if (at_ >= text_.size() || text_[at_] == '\n' || text_[at_] == '\r') {
        // Not finding its end is the one problem of such a string.
        result_.error.reset();
        return fail(DiagnosticCode::K0102, begin_, "unterminated string",
                    R"(close it with `"`, or write `"""…"""` for text of several lines)");
      }
      const char c = text_[at_];
      if (c == '"') {
        ++at_;
        return;
      }
      if (c == '\\') {
        escape();
      } else if (c == '$' && at_ + 1 < text_.size() && text_[at_ + 1] == '{') {
        interpolation();
      } else {
        take();
      }
    }
  }

  void escape() {
    const std::size_t from = at_++;
    const char c = at_ < text_.size() ? text_[at_] : '\n';
    if (c == '\n' || c == '\r') return;  // unterminated, as the caller finds
    const std::size_t length = std::max<std::size_t>(1, utf8_length(text_.substr(at_)));
    at_ += length;
    switch (c) {
      case 'n':
        tail() += '\n';
        return;
      case 't':
        tail() += '\t';
        return;
      case '"':
      case '\\':
      case '$':
        tail() += c;
        return;
      case 'u':
        return unicode(from);
      default:
        fail(DiagnosticCode::K0103, from,
             fmt::format("bad escape `\\{}`", length == 1 && static_cast<unsigned char>(c) >= 0x80
                                                  ? std::string_view("?")
                                                  : text_.substr(at_ - length, length)),
             R"(escapes: `\n \t \" \\ \$ \u{…}`)");
    }
  }

  void unicode(std::size_t from) {
    std::uint32_t code = 0;
    std::size_t end = at_;
    bool fine = end < text_.size() && text_[end] == '{';
    if (fine) {
      const std::size_t digits = end + 1;
      end = digits;
      while (end < text_.size() && is_name_character(text_[end])) ++end;
      const auto read = std::from_chars(text_.data() + digits, text_.data() + end, code, 16);
      fine = end > digits && end - digits <= 6 && read.ec == std::errc{} &&
             read.ptr == text_.data() + end && end < text_.size() && text_[end] == '}' &&
             code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
      if (end < text_.size() && text_[end] == '}') ++end;
    }
    at_ = end;
    if (fine) return append_utf8(tail(), code);
    fail(DiagnosticCode::K0103, from, "bad escape `\\u`",
         R"(a code point is written in one to six hexadecimal digits: `\u{20AC}`)");
  }

  void interpolation() {
    const std::size_t from = at_;
    std::size_t end = at_ + 2;
    while (end < text_.size() && is_name_character(text_[end])) ++end;
    const std::string_view name = text_.substr(from + 2, end - from - 2);
    const bool closed = end < text_.size() && text_[end] == '}';
    at_ = closed ? end + 1 : end;
    if (!closed || name.empty() || (name.front() >= '0' && name.front() <= '9')) {
      return fail(DiagnosticCode::K0103, from, "bad interpolation",
                  R"(`${name}` takes the name of a `param`; write `\$` for the sign itself)");
    }
    result_.literal.parts.push_back(
        {.text = std::string{name}, .parameter = true, .span = {offset(from), offset(at_)}});
  }

  std::string_view text_;
  std::size_t begin_;
  std::size_t at_;
  ScannedString result_;
};

}  // namespace

ScannedString scan_string(std::string_view text, std::size_t begin) {
  return Scanner(text, begin).run();
}

}  // namespace kaspar::dsl
