#include "nodes/csv/csv_value.hpp"

#include <cmath>
#include <cstdint>

#include "test/unit/catch.hpp"

using namespace kaspar::nodes::csv;

namespace {

template <class T>
T read(std::string_view text) {
  T value{};
  REQUIRE(read_value(text, value) == ValueError::None);
  return value;
}

std::int64_t timestamp(std::string_view text) {
  std::int64_t value = 0;
  INFO(text);
  REQUIRE(read_timestamp(text, value) == ValueError::None);
  return value;
}

std::int64_t duration(std::string_view text) {
  std::int64_t value = 0;
  INFO(text);
  REQUIRE(read_duration(text, value) == ValueError::None);
  return value;
}

}  // namespace

TEST_CASE("numbers are read exactly") {
  CHECK(read<float>("0.1") == 0.1F);
  CHECK(read<float>("+16777217") == 16777216.0F);
  CHECK(read<double>("9007199254740993") == 9007199254740992.0);
  CHECK(read<float>("1e-60") == 0.0F);
  CHECK(std::signbit(read<float>("-0")));
  CHECK(std::isnan(read<float>("NaN")));
  CHECK(read<double>("-inf") == -INFINITY);
  CHECK(read<float>("infinity") == INFINITY);
  CHECK(read<std::int64_t>("-9223372036854775808") == INT64_MIN);
  CHECK(read<bool>("True"));
  CHECK_FALSE(read<bool>("0"));
}

TEST_CASE("what is no number is refused") {
  for (const std::string_view text :
       {"", "abc", "1.5x", "1,5", "--1", "+-1", "0x10", ".", "1 2", "++1"}) {
    INFO(text);
    float f = 7;
    double d = 7;
    std::int64_t i = 7;
    CHECK(read_value(text, f) == ValueError::Malformed);
    CHECK(read_value(text, d) == ValueError::Malformed);
    CHECK(read_value(text, i) == ValueError::Malformed);
    CHECK(f == 7);
  }
  float f = 0;
  double d = 0;
  std::int64_t i = 0;
  bool b = false;
  CHECK(read_value("1e40", f) == ValueError::OutOfRange);
  CHECK(read_value("-3.5e38", f) == ValueError::OutOfRange);
  CHECK(read_value("1e400", d) == ValueError::OutOfRange);
  CHECK(read_value("9223372036854775808", i) == ValueError::OutOfRange);
  CHECK(read_value("1.0", i) == ValueError::Malformed);
  CHECK(read_value("yes", b) == ValueError::Malformed);
}

TEST_CASE("timestamps are RFC 3339 or milliseconds") {
  CHECK(timestamp("1234567890123") == 1234567890123);
  CHECK(timestamp("-1") == -1);
  CHECK(timestamp("1970-01-01T00:00:00Z") == 0);
  CHECK(timestamp("2009-02-13T23:31:30.123Z") == 1234567890123);
  CHECK(timestamp("2009-02-14 00:31:30.123999+01:00") == 1234567890123);
  CHECK(timestamp("1969-12-31t23:59:59.5z") == -500);
  CHECK(timestamp("2024-02-29T12:00:00-00:30") == 1709209800000);
  std::int64_t value = 0;
  for (const std::string_view text :
       {"", "2024-01-01", "2024-01-01T00:00:00", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00Zx",
        "2024-1-01T00:00:00Z", "1.5"}) {
    INFO(text);
    CHECK(read_timestamp(text, value) == ValueError::Malformed);
  }
  for (const std::string_view text : {"2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z",
                                      "2024-01-01T24:00:00Z", "99999999999999999999"}) {
    INFO(text);
    CHECK(read_timestamp(text, value) == ValueError::OutOfRange);
  }
}

TEST_CASE("durations are written as in the language") {
  CHECK(duration("250ms") == 250);
  CHECK(duration("5s") == 5'000);
  CHECK(duration("10m") == 600'000);
  CHECK(duration("-1h") == -3'600'000);
  std::int64_t value = 0;
  CHECK(read_duration("5", value) == ValueError::Malformed);
  CHECK(read_duration("s", value) == ValueError::Malformed);
  CHECK(read_duration("1.5s", value) == ValueError::Malformed);
  CHECK(read_duration("9223372036854775807h", value) == ValueError::OutOfRange);
}
