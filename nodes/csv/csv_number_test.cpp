#include "nodes/csv/csv_number.hpp"

#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "nodes/csv/csv_value.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar::nodes::csv;

namespace {

std::string formatted(const char* format, int precision, double value) {
  char text[400];
  return {text,
          static_cast<std::size_t>(std::snprintf(text, sizeof text, format, precision, value))};
}

/// Numbers as people write them, numbers next to where f32 rounds up or down, and no numbers.
std::string any_field(std::mt19937_64& random) {
  const auto precision = static_cast<int>(random() % 12);
  switch (random() % 5) {
    case 0:
      return std::to_string(static_cast<std::int64_t>(random()) >> (random() % 64));
    case 1:
      return formatted("%.*f", precision,
                       static_cast<double>(static_cast<std::int64_t>(random()) >> (random() % 60)) /
                           static_cast<double>(std::uint64_t{1} << (random() % 40)));
    case 2: {
      const auto below =
          std::bit_cast<float>(0x3f800000U + static_cast<std::uint32_t>(random()) % 0x08000000U);
      const float above = std::nextafterf(below, INFINITY);
      return formatted("%.*f", precision, (static_cast<double>(below) + above) / 2);
    }
    default: {
      const std::string_view characters =
          random() % 2 == 0 ? "0123456789." : "0123456789.-+e \xAE\xB0\xFF,/:";
      std::string text(random() % 20, ' ');
      for (char& c : text) c = characters[random() % characters.size()];
      return text;
    }
  }
}

/// How often the short way was taken; each time its result is that of the long one.
template <class T>
std::size_t compare(std::size_t count) {
  std::mt19937_64 random{20261128};
  std::size_t taken = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string field = any_field(random);
    // What stands before and behind must not matter, nor be read where there is nothing.
    const std::string before(random() % 2 == 0 ? 0 : random() % 24, "0-.7"[random() % 4]);
    const std::size_t size = before.size() + field.size();
    const auto room = std::make_unique<char[]>(size);
    std::memcpy(room.get(), before.data(), before.size());
    std::memcpy(room.get() + before.size(), field.data(), field.size());
    const char* const end = room.get() + size;
    T value = 7;
    if (!read_short_number(end - field.size(), end, size, value)) {
      CHECK(value == 7);
      continue;
    }
    ++taken;
    T wanted = 0;
    INFO(field);
    REQUIRE(read_value(field, wanted) == ValueError::None);
    REQUIRE(std::memcmp(&value, &wanted, sizeof value) == 0);
  }
  return taken;
}

}  // namespace

TEST_CASE("short numbers are read to the last bit") {
  CHECK(compare<float>(200'000) > 80'000);
  CHECK(compare<double>(200'000) > 80'000);
}

TEST_CASE("what is short and plain takes the short way") {
  for (const std::string text : {"0", "-0", "7.", ".5", "-12.5", "30.1234", "99999999", "16777217",
                                 "-1234567.12345678", "0.00000000000001"}) {
    INFO(text);
    double value = 7;
    CHECK(read_short_number(text.data(), text.data() + text.size(), text.size(), value));
  }
  for (const std::string text : {"", "-", ".", "-.", "--1", "+1", " 1", "1 ", "1e5", "1.2.3", "nan",
                                 "1,2", "\xB1\x32", "12345678901234567", "9999999999999999"}) {
    INFO(text);
    double value = 7;
    CHECK_FALSE(read_short_number(text.data(), text.data() + text.size(), text.size(), value));
    CHECK(value == 7);
  }
}
