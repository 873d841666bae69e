#include "runtime/cli/endpoint_argument.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::cli {

TEST_CASE("an endpoint is replaced by a file or a standard stream") {
  const auto file = parse_endpoint_argument(NodeRole::Source, "windows=file:a=b:c.csv");
  REQUIRE(file);
  CHECK(file->name == "windows");
  CHECK(file->kind == "file");
  CHECK(string_param(file->params, "path") == "a=b:c.csv");

  const auto input = parse_endpoint_argument(NodeRole::Source, "windows=stdin");
  REQUIRE(input);
  CHECK(input->kind == "stdin");
  const auto output = parse_endpoint_argument(NodeRole::Sink, "labels=stdout");
  REQUIRE(output);
  CHECK(output->kind == "stdout");
  CHECK(output->params.empty());
}

TEST_CASE("what is no endpoint is refused with the way to write one") {
  for (const char* text :
       {"", "windows", "=stdin", "windows=", "windows=file:", "windows=stdout"}) {
    const auto source = parse_endpoint_argument(NodeRole::Source, text);
    REQUIRE_FALSE(source);
    CHECK(source.error().find("--source NAME=stdin") != std::string::npos);
  }
  CHECK_FALSE(parse_endpoint_argument(NodeRole::Sink, "labels=stdin"));
}

TEST_CASE("a feed names a source and a file") {
  const auto feed = parse_feed_argument("windows=rows=1.csv");
  REQUIRE(feed);
  CHECK(feed->source == "windows");
  CHECK(feed->path == "rows=1.csv");
  for (const char* text : {"", "windows", "windows=", "=rows.csv"}) {
    CHECK_FALSE(parse_feed_argument(text));
  }
}

}  // namespace kaspar::cli
