#include "runtime/core/value_text.hpp"

#include <string>

#include "test/unit/catch.hpp"

namespace kaspar {

TEST_CASE("times and base64") {
  const auto timestamp = [](std::int64_t value) {
    std::string text;
    append_timestamp(text, value);
    return text;
  };
  const auto duration = [](std::int64_t value) {
    std::string text;
    append_duration(text, value);
    return text;
  };
  const auto base64 = [](std::string_view value) {
    std::string text;
    append_bytes(text, value);
    return text;
  };
  CHECK(timestamp(0) == "1970-01-01T00:00:00Z");
  CHECK(timestamp(-500) == "1969-12-31T23:59:59.500Z");
  CHECK(timestamp(INT64_MAX) == "9223372036854775807");
  CHECK(duration(0) == "0ms");
  CHECK(duration(-7'200'000) == "-2h");
  CHECK(duration(1'500) == "1500ms");
  CHECK(base64("\xFF") == "base64:/w==");
  CHECK(base64("\xFF\xFE") == "base64://4=");
  CHECK(base64("\xFF\xFE\xFD") == "base64://79");
  CHECK(base64("ok") == "ok");
}

}  // namespace kaspar
