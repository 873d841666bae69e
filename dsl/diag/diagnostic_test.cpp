#include "dsl/diag/diagnostic.hpp"

#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::dsl;

namespace {

Diagnostics one(std::string text, std::string_view at, std::string path = "a.pipe") {
  auto source = std::make_shared<const SourceBuffer>(std::move(path), std::move(text));
  const auto begin = static_cast<std::uint32_t>(source->text().find(at));
  Diagnostics diagnostics;
  diagnostics.add({.code = DiagnosticCode::K0201,
                   .source = source,
                   .span = {begin, begin + static_cast<std::uint32_t>(at.size())},
                   .message = "unknown column `z`",
                   .label = "not a column here",
                   .notes = {"columns here: `x`"},
                   .help = "did you mean `x`?"});
  return diagnostics;
}

}  // namespace

TEST_CASE("people see the line, a caret and the way out") {
  CHECK(render_human(one("pipe 1\nfrom s |> keep { z }\n", "z"), false) ==
        "error[K0201]: unknown column `z`\n"
        " --> a.pipe:2:18\n"
        "  |\n"
        "2 | from s |> keep { z }\n"
        "  |                  ^ not a column here\n"
        "  = note: columns here: `x`\n"
        "  = help: did you mean `x`?\n\n");
}

TEST_CASE("a caret stands right behind letters of several bytes and tabs") {
  const std::string text = render_human(one("\t# \xC3\xA9 zz", "zz"), false);
  CHECK(text.find("1 |  # \xC3\xA9 zz\n  |      ^^ not a column here\n") != std::string::npos);
}

TEST_CASE("a hostile line is cut and cannot steer the terminal") {
  const std::string text = render_human(
      one(std::string(100'000, 'a') + "\x1b[31m zz" + std::string(100'000, 'b'), "zz"), false);
  CHECK(text.size() < 1000);
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(text.find("zz") != std::string::npos);
}

TEST_CASE("programs get every field, and always JSON") {
  CHECK(
      render_json(one("pipe 1\nz", "z", "dir/\"a\"\n.pipe")) ==
      R"({"format_version":1,"valid":false,"error_count":1,"warning_count":0,"diagnostics":[)"
      R"({"code":"K0201","severity":"error","message":"unknown column `z`","file":"dir/\"a\"\u000a.pipe",)"
      R"("span":{"start":{"line":2,"column":1,"byte":7},"end":{"line":2,"column":2,"byte":8}},)"
      R"("labels":[{"span":{"start":{"line":2,"column":1,"byte":7},"end":{"line":2,"column":2,"byte":8}},)"
      R"("text":"not a column here"}],"notes":["columns here: `x`"],"help":"did you mean `x`?","fixes":[]}]})"
      "\n");
  CHECK(render_json({}) ==
        R"({"format_version":1,"valid":true,"error_count":0,"warning_count":0,"diagnostics":[]})"
        "\n");
}

TEST_CASE("diagnostics come in source order") {
  auto source = std::make_shared<const SourceBuffer>("a.pipe", "0123456789");
  Diagnostics diagnostics;
  for (const std::uint32_t at : {7u, 2u, 5u}) {
    diagnostics.add({.severity = at == 5 ? Severity::Warning : Severity::Error,
                     .source = source,
                     .span = {at, at + 1},
                     .message = "m"});
  }
  diagnostics.sort();
  CHECK(diagnostics.entries()[0].span.begin == 2);
  CHECK(diagnostics.entries()[1].span.begin == 5);
  CHECK(diagnostics.entries()[2].span.begin == 7);
  CHECK(diagnostics.errors() == 2);
  CHECK(diagnostics.warnings() == 1);
}

TEST_CASE("a suggestion is right or silent") {
  const std::vector<std::string_view> words{"standardize", "vector", "filter", "apply", "to"};
  CHECK(did_you_mean("standardise", words) == "standardize");
  CHECK(did_you_mean("vectro", words) == "vector");
  CHECK(did_you_mean("Filter", words) == "filter");
  CHECK(did_you_mean("aply", words) == "apply");
  CHECK(did_you_mean("x", words).empty());
  CHECK(did_you_mean("something", words).empty());
  CHECK(did_you_mean("labelx", {"labela", "labelb"}).empty());
  CHECK(did_you_mean(std::string(100'000, 'a'), words).empty());
}
