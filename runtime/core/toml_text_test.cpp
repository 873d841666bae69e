#include "runtime/core/toml_text.hpp"

#include <string>

#include "test/unit/catch.hpp"

using namespace kaspar;

TEST_CASE("what toml++ stumbles over is not given to it") {
  const auto offset = [](const std::string& text) {
    const auto refused = refuse_for_toml(text);
    return refused ? static_cast<long>(refused->offset) : -1;
  };
  SECTION("characters beyond ASCII outside of comments and strings") {
    CHECK(offset("\u00a7") == 0);
    CHECK(offset("mean = 1\u00a0\n") == 8);
    CHECK(offset("# \u00a7\nmean\u00a7 = 1") == 9);
    CHECK(offset("a = 'x' \u00a7") == 8);
    CHECK(offset("a = \"x\n\u00a7\"") == 7);
    CHECK(offset("a = '''x''' \u00a7") == 12);
    CHECK(offset("a = \"\"\"x\"\"\"\"\" \u00a7") == 14);
  }
  SECTION("characters beyond ASCII after a backslash") {
    CHECK(offset("s = \"\"\"\\\n\u00a7\"\"\"\n") == 9);
    CHECK(offset("s = \"\"\"\\ \t\r\n  \u00a7\"\"\"\n") == 14);
    CHECK(offset("s = \"\\\u00a7\"") == 6);
    CHECK(offset("s = \"\\u00\u00a7\"") == 9);
  }
  SECTION("what is no UTF-8, and control characters") {
    CHECK(offset("# \xff") == 2);
    CHECK(offset("# \u00a7\u00a7\xc3 x") == 6);
    CHECK(offset(std::string("a = 1\0", 6)) == 5);
    CHECK(offset("a = 1\v") == 5);
  }
  SECTION("depth") {
    CHECK(offset("a = " + std::string(33, '[')) == 4 + 32);
    CHECK(offset("a = " + std::string(32, '[') + std::string(32, ']')) == -1);
    std::string key = "a";
    for (int i = 0; i < 31; ++i) key += ".a";
    CHECK(offset(key + " = 1") == -1);
    CHECK(offset("[" + key + ".a]") == 1 + 63);
    std::string numbers = "a = [";
    for (int i = 0; i < 1000; ++i) numbers += "0.5, ";
    CHECK(offset(numbers + "]") == -1);
  }
}

TEST_CASE("TOML is given to the parser") {
  for (const std::string text :
       {"", "\ufeffa = 1", "# \u00a7\r\na = \"\u00a7\" # \u00a7", "a = '\u00a7\\'",
        "a = '''\n\u00a7''\u00a7'''",
        "a = \"\"\"\u00a7\"\"\u00a7\\u00a7\u00a7\\\\\u00a7 \\\n x\u00a7\"\"\"", "\"\u00a7\" = 1",
        "'a.b'.\"c\" = { d = [1.5] }"}) {
    INFO(text);
    CHECK_FALSE(refuse_for_toml(text));
  }
}

TEST_CASE("lines count from 1") {
  CHECK(line_of("a\nb\n", 0) == 1);
  CHECK(line_of("a\nb\n", 2) == 2);
  CHECK(line_of("a\nb\n", 4) == 3);
}
