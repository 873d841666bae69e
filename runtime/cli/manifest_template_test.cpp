#include <algorithm>
#include <stdexcept>
#include <string>

#include "runtime/cli/deployed_files.hpp"
#include "runtime/cli/manifest_template.hpp"
#include "runtime/cli/yaml_text.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar::cli;

TEST_CASE("a template's places are filled in") {
  const TemplateValues values{{"a", "1"}, {"block", "x: 1\n\n  y: 2"}, {"none", ""}};
  CHECK(fill_template("k: @a@-@a@\n", values) == "k: 1-1\n");
  CHECK(fill_template("l:\n  @block@\nm: 1", values) == "l:\n  x: 1\n\n    y: 2\nm: 1\n");
  CHECK(fill_template("l:\n  @none@\nm: 1\n", values) == "l:\nm: 1\n");
  CHECK(fill_template("value: 0@kafka-0.kafka:9093,1@kafka-1:9093\n", values) ==
        "value: 0@kafka-0.kafka:9093,1@kafka-1:9093\n");
  CHECK_THROWS_AS(fill_template("@unknown@\n", values), std::logic_error);
}

TEST_CASE("YAML keeps a text as it is") {
  CHECK(yaml_text_member("k", "a: 1\n\n  b\n", 2) == "  \"k\": |\n    a: 1\n\n      b\n");
  CHECK(yaml_text_member("k", "no end", 0) == "\"k\": \"no end\"\n");
  CHECK(yaml_text_member("k", " leads with a blank\n", 0) == "\"k\": \" leads with a blank\\n\"\n");
  CHECK(yaml_text_member("k", "a\tb\r\n", 0) == "\"k\": \"a\\tb\\r\\n\"\n");
  CHECK(yaml_text_member("k", "", 0) == "\"k\": \"\"\n");
}

TEST_CASE("a hash tells files apart by their names, their ends and their bytes") {
  const DeployedFile a{.path = "a", .key = "a", .bytes = "xy"};
  const DeployedFile b{.path = "b", .key = "b", .bytes = "xy"};
  const DeployedFile x{.path = "a", .key = "a", .bytes = "x"};
  const std::string hash = content_hash({&a});
  CHECK(hash.size() == 16);
  CHECK(content_hash({&a}) == hash);
  CHECK(content_hash({&b}) != hash);
  CHECK(content_hash({&x}) != hash);
  CHECK(content_hash({&a, &b}) != hash);
}
