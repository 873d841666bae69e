#include "runtime/cli/record_text.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::cli {

TEST_CASE("a record is one line, single spaces between its parts") {
  CHECK(record_line({.topic = "t", .key = "k 1", .value = "Normal"}) ==
        "topic = t key = k 1 value = Normal");
}

TEST_CASE("a record without key or value says null") {
  CHECK(record_line({.topic = "t"}) == "topic = t key = null value = null");
  CHECK(record_json({.topic = "t"}) == R"({"topic":"t","key":null,"value":null})");
}

TEST_CASE("control characters cannot break the line") {
  CHECK(record_line({.topic = "t", .key = "a\nb", .value = "\x1b[2J\t"}) ==
        "topic = t key = a\\nb value = \\x1b[2J\\t");
}

TEST_CASE("JSON escapes quotes, and carries other bytes as base64") {
  CHECK(record_json({.topic = "t", .key = "a\"\\", .value = "\n"}) ==
        R"({"topic":"t","key":"a\"\\","value":"\n"})");
  CHECK(record_json({.topic = "t", .key = "\xff", .value = "\xff\xfe"}) ==
        R"({"topic":"t","key":"base64:/w==","value":"base64://4="})");
  CHECK(record_json({.topic = "t", .key = "\xff\xfe\xfd", .value = "\xc3\xa9"}) ==
        "{\"topic\":\"t\",\"key\":\"base64://79\",\"value\":\"\xc3\xa9\"}");
}

TEST_CASE("over-long forms, surrogates and cut code points are no UTF-8") {
  for (const char* text :
       {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82"}) {
    CHECK(record_json({.topic = "t", .key = text}).find("base64:") != std::string::npos);
  }
}

TEST_CASE("clock keys go on by a second a row, over the end of a year") {
  CHECK(clock_key(1'795'341'600, 0) == "22-11-2026 10:00:00");
  CHECK(clock_key(1'795'341'600, 61) == "22-11-2026 10:01:01");
  CHECK(clock_key(1'798'761'599, 1) == "01-01-2027 00:00:00");
}

}  // namespace kaspar::cli
