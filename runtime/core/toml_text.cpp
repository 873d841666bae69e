#include "runtime/core/toml_text.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdint>

namespace kaspar {
namespace {

constexpr std::size_t deepest_brackets = 32;
constexpr std::size_t longest_key = 32;  // parts between dots

bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
}

class TomlScan {
 public:
  explicit TomlScan(std::string_view text) : text_(text) {}

  std::optional<TomlRefusal> run() {
    if (text_.starts_with("\xef\xbb\xbf")) at_ = 3;
    while (at_ < text_.size() && !refusal_) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == '"' || c == '\'') {
        string(c);
      } else {
        outside(c);
        ++at_;
      }
    }
    return std::move(refusal_);
  }

 private:
  void refuse(std::string message) {
    if (!refusal_) refusal_ = TomlRefusal{.offset = at_, .message = std::move(message)};
  }

  void outside(char c) {
    if (!is_ascii(c)) return refuse("only comments and strings hold characters beyond ASCII");
    if (is_control(c)) {
      return refuse(fmt::format("there is a control character, 0x{:02x}", static_cast<int>(c)));
    }
    if (c == '[' || c == '{') {
      if (++depth_ > deepest_brackets) {
        refuse(fmt::format("more than {} brackets within each other", deepest_brackets));
      }
    } else if (c == ']' || c == '}') {
      if (depth_ != 0) --depth_;
    }
    if (c == '.') {
      if (++dots_ >= longest_key) {
        refuse(fmt::format("a key has more than {} parts", longest_key));
      }
    } else if (c == '\n' || c == '=' || c == ',' || c == '[' || c == '{') {
      dots_ = 0;
    }
  }

  /// From its opening quote to after its closing one; one on a line ends with the line.
  void string(char quote) {
    const char three[] = {quote, quote, quote};
    const bool several_lines = text_.substr(at_).starts_with(std::string_view(three, 3));
    at_ += several_lines ? 3 : 1;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == quote) {
        std::size_t run = 1;
        while (run < 5 && at_ + run < text_.size() && text_[at_ + run] == quote) ++run;
        if (!several_lines || run >= 3) {
          at_ += several_lines ? run : 1;
          return;
        }
        at_ += run;
      } else if (c == '\n' && !several_lines) {
        return;
      } else if (c == '\\' && quote == '"') {
        escape();
        if (refusal_) return;
      } else {
        ++at_;
      }
    }
  }

  /// A backslash and what it makes a sign of; at the end of a line it eats the blanks that follow.
  void escape() {
    ++at_;
    if (at_ < text_.size() && is_ascii(text_[at_]) && !is_blank(text_[at_])) {
      // `\u` and `\U` take digits.
      const char kind = text_[at_++];
      const std::size_t digits = kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
      const std::size_t end = std::min(text_.size(), at_ + digits);
      const std::size_t first = at_;
      while (at_ < end && is_ascii(text_[at_])) ++at_;
      if (at_ == end) {
        at_ = first;  // they are looked at as signs of the string
        return;
      }
    }
    while (at_ < text_.size() && is_blank(text_[at_])) ++at_;
    if (at_ < text_.size() && !is_ascii(text_[at_])) {
      refuse("a character beyond ASCII follows a backslash");
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::size_t dots_ = 0;
  std::optional<TomlRefusal> refusal_;
};

/// The first byte that is no UTF-8, found by halves.
std::size_t first_invalid(std::string_view text) {
  std::size_t good = 0;
  std::size_t bad = text.size();
  while (bad - good > 1) {
    const std::size_t middle = good + (bad - good) / 2;
    // A character that `middle` cuts in two is not yet wrong.
    std::size_t cut = middle;
    while (cut > good && middle - cut < 3 && (static_cast<unsigned char>(text[cut]) & 0xc0) == 0x80)
      --cut;
    if (cut > good && simdjson::validate_utf8(text.data() + good, cut - good)) {
      good = cut;
    } else if (cut > good) {
      bad = cut;
    } else {
      break;
    }
  }
  return good;
}

}  // namespace

std::optional<TomlRefusal> refuse_for_toml(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return TomlRefusal{.offset = first_invalid(text), .message = "it is not UTF-8"};
  }
  return TomlScan(text).run();
}

std::size_t line_of(std::string_view text, std::size_t offset) noexcept {
  const std::string_view before = text.substr(0, offset);
  return 1 + static_cast<std::size_t>(std::count(before.begin(), before.end(), '\n'));
}

}  // namespace kaspar
