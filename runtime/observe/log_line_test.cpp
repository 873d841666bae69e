#include "runtime/observe/log_line.hpp"

#include <chrono>
#include <string>
#include <vector>

#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::observe;

namespace {

constexpr LogTime time_of_test{std::chrono::milliseconds{1'700'000'000'007}};

}  // namespace

TEST_CASE("an event is one JSON line with its fields") {
  const std::vector<LogField> fields{{"partition", "3"}};
  CHECK(json_line(time_of_test, LogLevel::Warning, "lag", "", "falls behind", fields) ==
        R"({"time":"2023-11-14T22:13:20.007Z","level":"warning","event":"lag",)"
        R"("message":"falls behind","partition":"3"})");
}

TEST_CASE("hostile text cannot break a line or steer a terminal") {
  const std::string text =
      "a\"b\\c\n\t\x1b[2J\x7f\xc2\x9b\xff\xed\xa0\x80 \xc3\xa9 \xf0\x9f\x98\x80";
  const std::string json = json_line(time_of_test, LogLevel::Info, "e", "", text, {});
  CHECK(json.find(R"("message":"a\"b\\c\n\t\u001b[2J\u007f\u009b)") != std::string::npos);
  CHECK(json.find(" \xc3\xa9 \xf0\x9f\x98\x80\"}") != std::string::npos);
  CHECK(json.find('\xff') == std::string::npos);
  CHECK(json.find("\xed\xa0") == std::string::npos);
  for (const char c : json) CHECK(static_cast<unsigned char>(c) >= 0x20);

  const std::vector<LogField> fields{{"key", "x\ny"}};
  const std::string human = human_line(time_of_test, LogLevel::Error, "e", text, fields);
  for (const char c : human) CHECK(static_cast<unsigned char>(c) >= 0x20);
  CHECK(human.find("error") != std::string::npos);
  CHECK(human.find(R"((key=x\ny))") != std::string::npos);
}

TEST_CASE("a truncated UTF-8 sequence at the end is replaced") {
  const std::string json = json_line(time_of_test, LogLevel::Info, "e", "", "ab\xe2\x82", {});
  CHECK(json.find("\"message\":\"ab\xEF\xBF\xBD\xEF\xBF\xBD\"") != std::string::npos);
}
