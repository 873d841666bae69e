#include "runtime/cli/json_difference.hpp"

#include "test/unit/catch.hpp"

using kaspar::cli::json_difference;

TEST_CASE("documents of one meaning do not differ") {
  CHECK_FALSE(json_difference(R"({"a":1,"b":[1,2.50],"c":"é"})",
                              " { \"c\" : \"\\u00e9\", \"b\" : [1.0, 2.5], \"a\" : 1 } ", 0));
  CHECK_FALSE(json_difference(R"({"a":2})", R"({"a":1,"a":2})", 0));
  CHECK_FALSE(json_difference("[0.5,1e3]", "[0.5004,1000]", 1e-3));
  CHECK_FALSE(json_difference("null", "null", 0));
}

TEST_CASE("the first difference is told with its place") {
  CHECK(json_difference(R"({"a":{"b":[1,2]}})", R"({"a":{"b":[1,3]}})", 0) ==
        "at `a.b[1]` is 3 in place of 2");
  CHECK(json_difference(R"({"a":1,"b":2})", R"({"a":1})", 0) == "`b` is missing");
  CHECK(json_difference(R"({"a":{}})", R"({"a":{"b":2}})", 0) == "`a.b` is not expected");
  CHECK(json_difference("[1,2]", "[1]", 0) == "the top has 1 elements in place of 2");
  CHECK(json_difference(R"({"a":1})", R"({"a":"1"})", 0) == "at `a` is \"1\" in place of 1");
  CHECK(json_difference("1", "true", 0));
  CHECK(json_difference("0", "null", 1));
  CHECK(json_difference("[0.5]", "[0.502]", 1e-3));
  CHECK(json_difference("9007199254740993", "9007199254740992", 0));
}

TEST_CASE("what is no JSON differs from all") {
  CHECK(json_difference("1", "Normal", 0));
  CHECK(json_difference("1", "", 0));
  CHECK(json_difference("1", "1 2", 0));
  CHECK(json_difference("[]", std::string(100'000, '['), 0));
}
