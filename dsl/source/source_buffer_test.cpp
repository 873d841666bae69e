#include "dsl/source/source_buffer.hpp"

#include "test/unit/catch.hpp"

using namespace kaspar::dsl;

TEST_CASE("columns count code points, bytes count a byte-order mark") {
  const SourceBuffer plain("a.pipe", "pipe 1\n# \xC3\xA9t\xC3\xA9 x\r\nend");
  CHECK(plain.position(0) == Position{1, 1, 0});
  const auto x = static_cast<std::uint32_t>(plain.text().find('x'));
  CHECK(plain.position(x) == Position{2, 7, x});
  CHECK(plain.line_at(x) == "# \xC3\xA9t\xC3\xA9 x");
  CHECK(plain.position(static_cast<std::uint32_t>(plain.text().size())).line == 3);
  CHECK(plain.line_at(static_cast<std::uint32_t>(plain.text().size())) == "end");

  const SourceBuffer marked("b.pipe", "\xEF\xBB\xBFpipe 1");
  CHECK(marked.text() == "pipe 1");
  CHECK(marked.position(5) == Position{1, 6, 8});
}

TEST_CASE("places on a long line are those that counting from its start gives") {
  std::string text = "first\n";
  for (int i = 0; i < 3'000; ++i) text += i % 7 == 0 ? "\xE2\x82\xAC" : i % 11 == 0 ? "\xFF" : "ab";
  text += "\nlast";
  const SourceBuffer source("long.pipe", text);
  for (std::uint32_t at = 0; at <= text.size(); ++at) {
    const std::uint32_t begin = source.line_begin(at);
    const std::string_view before = source.text().substr(begin, at - begin);
    // Within a code point there is no place.
    if (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0u) == 0x80u) continue;
    REQUIRE(source.position(at).column == count_code_points(before) + 1);
  }
  CHECK(source.line_at(3) == "first");
  CHECK(source.line_at(5) == "first");
  CHECK(source.line_at(1'000) == std::string_view{text}.substr(6, text.size() - 11));
}

TEST_CASE("an empty file has one empty line") {
  const SourceBuffer empty("e.pipe", "");
  CHECK(empty.position(0) == Position{1, 1, 0});
  CHECK(empty.line_at(0).empty());
}

TEST_CASE("what is no UTF-8 is found where it begins") {
  const auto first_bad = [](std::string bytes) {
    return SourceBuffer("x", std::move(bytes)).invalid_utf8();
  };
  CHECK(first_bad("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == std::string_view::npos);
  CHECK(first_bad("ab\xFF") == 2);
  CHECK(first_bad("\xC0\xAF") == 0);          // overlong
  CHECK(first_bad("a\xED\xA0\x80") == 1);     // a surrogate
  CHECK(first_bad("\xF4\x90\x80\x80") == 0);  // beyond U+10FFFF
  CHECK(first_bad("abc\xE2\x82") == 3);       // cut short
}
