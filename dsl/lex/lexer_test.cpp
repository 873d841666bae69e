#include <random>

#include "dsl/lex/token_buffer.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::dsl;

namespace {

TokenBuffer lex_text(std::string text) {
  return lex(std::make_shared<const SourceBuffer>("t.pipe", std::move(text)));
}

LexicalError first_error(std::string text) {
  const TokenBuffer buffer = lex_text(std::move(text));
  for (const Token& token : buffer.tokens) {
    if (token.kind == TokenKind::Error) return buffer.value<LexicalError>(token);
  }
  return {.code = DiagnosticCode::K0908};
}

}  // namespace

TEST_CASE("a stage becomes its tokens; comments are kept apart") {
  const TokenBuffer buffer = lex_text("from w # the windows\n  |> apply chart(x) as y");
  CHECK(print_tokens(buffer) ==
        "1:1 Name from\n1:6 Name w\n2:3 Pipe\n2:6 Name apply\n2:12 Name chart\n"
        "2:17 OpenParen touching\n2:18 Name touching x\n2:19 CloseParen touching\n"
        "2:21 As\n2:24 Name y\n2:25 End touching\n");
  REQUIRE(buffer.comments.size() == 1);
  CHECK(buffer.source->text(buffer.comments[0]) == "# the windows");
  CHECK_FALSE(buffer.has_errors);
}

TEST_CASE("numbers, durations and sizes") {
  const TokenBuffer buffer = lex_text("10_000 0.5 1e-3 250ms 10m 64KiB 10MB 1..2");
  REQUIRE(buffer.tokens.size() == 11);
  CHECK(buffer.value<std::int64_t>(buffer.tokens[0]) == 10'000);
  CHECK(buffer.value<double>(buffer.tokens[1]) == 0.5);
  CHECK(buffer.value<double>(buffer.tokens[2]) == 1e-3);
  CHECK(buffer.value<std::chrono::milliseconds>(buffer.tokens[3]) ==
        std::chrono::milliseconds(250));
  CHECK(buffer.value<std::chrono::milliseconds>(buffer.tokens[4]) == std::chrono::minutes(10));
  CHECK(buffer.value<std::int64_t>(buffer.tokens[5]) == 65'536);
  CHECK(buffer.value<std::int64_t>(buffer.tokens[6]) == 10'000'000);
  CHECK(buffer.tokens[8].kind == TokenKind::Range);
}

TEST_CASE("bad numbers are K0103") {
  for (const char* text :
       {"1__0", "1_", "12abc", "9223372036854775808", "1e999", "1.5s", "99999999999999999h"}) {
    INFO(text);
    CHECK(first_error(text).code == DiagnosticCode::K0103);
  }
}

TEST_CASE("strings decode their escapes once") {
  const TokenBuffer buffer = lex_text(R"("a\n\t\"\\\$\u{20AC}" "${p}-x" """raw \n ${p}
two""" "")");
  REQUIRE(buffer.tokens.size() == 5);
  CHECK(buffer.value<StringLiteral>(buffer.tokens[0]).text() == "a\n\t\"\\$\xE2\x82\xAC");
  const auto& interpolated = buffer.value<StringLiteral>(buffer.tokens[1]);
  REQUIRE(interpolated.parts.size() == 2);
  CHECK(interpolated.parts[0].parameter);
  CHECK(interpolated.parts[0].text == "p");
  CHECK(interpolated.parts[1].text == "-x");
  CHECK(buffer.value<StringLiteral>(buffer.tokens[2]).text() == "raw \\n ${p}\ntwo");
  CHECK(buffer.value<StringLiteral>(buffer.tokens[2]).constant());
  CHECK(buffer.value<StringLiteral>(buffer.tokens[3]).text().empty());
}

TEST_CASE("damaged strings say what is wrong, and the next line is understood") {
  CHECK(first_error("\"abc\nx").code == DiagnosticCode::K0102);
  CHECK(first_error("\"abc\\").code == DiagnosticCode::K0102);
  CHECK(first_error("\"\"\"abc\n\"\"").code == DiagnosticCode::K0102);
  for (const char* text : {R"("\q")", R"("\u{}")", R"("\u{D800}")", R"("\u{110000}")",
                           R"("\u{1234567}")", R"("${")", R"("${1a}")"}) {
    INFO(text);
    CHECK(first_error(text).code == DiagnosticCode::K0103);
  }
  const TokenBuffer buffer = lex_text("\"abc\nfrom");
  REQUIRE(buffer.tokens.size() == 3);
  CHECK(buffer.text(buffer.tokens[1]) == "from");
}

TEST_CASE("what is no token is K0101, with a way out where there is one") {
  CHECK(first_error("a | b").help == "a stage starts with `|>`");
  CHECK(first_error("\xFF\xFE\xFF").message == "the file is not UTF-8 here");
  CHECK(first_error("\"\xFF\"").code == DiagnosticCode::K0101);
  CHECK(first_error("\x01").message == "unexpected control character");
  CHECK(first_error("a ; b").message == "unexpected `;`");
}

TEST_CASE("random bytes are lexed, and every byte is in one token, comment or blank") {
  std::mt19937 random(1);
  const std::string_view alphabet = "ab1_9.\"\\${}#|>\n =?!\xC3\xA9\xFFu(";
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t length = random() % 40; text.size() < length;) {
      text += alphabet[random() % alphabet.size()];
    }
    const TokenBuffer buffer = lex_text(text);
    std::uint32_t end = 0;
    for (const Token& token : buffer.tokens) {
      REQUIRE(token.span.begin >= end);
      REQUIRE(token.span.end >= token.span.begin);
      REQUIRE(token.span.end <= text.size());
      end = token.span.end;
    }
    REQUIRE(buffer.tokens.back().kind == TokenKind::End);
    REQUIRE(end == text.size());
  }
}
