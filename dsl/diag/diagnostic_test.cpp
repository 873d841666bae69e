#include "dsl/diag/diagnostic.hpp"

#include "dsl/diag/explanation.hpp"
#include "dsl/diag/finding.hpp"
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
  Diagnostics named = one("zz", "zz");
  named.add({.source = named.entries()[0].source, .message = "no `\x1b[31m`", .help = "\x1b"});
  CHECK(render_human(named, false).find('\x1b') == std::string::npos);
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

TEST_CASE("a document of files that could not all be read is not valid") {
  CHECK(
      render_json({}, false, R"(,"tests":[])") ==
      R"({"format_version":1,"valid":false,"error_count":0,"warning_count":0,"diagnostics":[],"tests":[]})"
      "\n");
}

TEST_CASE("GitHub's annotations are escaped as its runner decodes them") {
  Diagnostics diagnostics = one("pipe 1\nz", "z", "a,b:100%.pipe");
  CHECK(render_github(findings_of(diagnostics)) ==
        "::error file=a%2Cb%3A100%25.pipe,line=2,col=1,endLine=2,endColumn=2,title=K0201::"
        "unknown column `z`%0Anote: columns here: `x`%0Ahelp: did you mean `x`?\n");
  const std::vector<Finding> findings{{.rule = "test",
                                       .error = false,
                                       .message = "50%: a\r\nb",
                                       .place = {.file = "f", .region = {.line = 3, .column = 4}}}};
  CHECK(render_github(findings) == "::warning file=f,line=3,col=4,title=test::50%25: a%0D%0Ab\n");
}

TEST_CASE("a SARIF log has a rule for each code, places in code points, and fixes") {
  auto source = std::make_shared<const SourceBuffer>("/tmp/a b.pipe", "\xC3\xA9 zz\ny");
  Diagnostics diagnostics;
  diagnostics.add({.code = DiagnosticCode::K0201,
                   .source = source,
                   .span = {3, 5},
                   .message = "unknown \"zz\"",
                   .label = "here",
                   .related = {{{6, 7}, "meant"}},
                   .fixes = {{{3, 5}, "y", "write `y`"}}});
  diagnostics.add({.code = DiagnosticCode::K0201,
                   .severity = Severity::Warning,
                   .source = source,
                   .span = {7, 7},
                   .message = "m"});
  const std::string place =
      R"("physicalLocation":{"artifactLocation":{"uri":"file:///tmp/a%20b.pipe"},"region":{)";
  const std::string artifact = R"("artifactLocation":{"uri":"file:///tmp/a%20b.pipe"})";
  std::vector<Finding> findings = findings_of(diagnostics);
  CHECK(findings[0].rule_text == explanation_of(DiagnosticCode::K0201));
  for (Finding& finding : findings) finding.rule_text = "a _text_";
  CHECK(
      render_sarif(findings, "1.2.3") ==
      R"({"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[)"
      R"({"tool":{"driver":{"name":"kaspar","version":"1.2.3","rules":[)"
      R"({"id":"K0201","shortDescription":{"text":"unknown name"},"help":{"text":"a _text_","markdown":"a _text_"}}]}},"columnKind":"unicodeCodePoints",)"
      R"("invocations":[{"executionSuccessful":true}],"results":[)"
      R"({"ruleId":"K0201","ruleIndex":0,"level":"error","message":{"text":"unknown \"zz\""},"locations":[{)" +
          place +
          R"("startLine":1,"startColumn":3,"endLine":1,"endColumn":5}},"message":{"text":"here"}}],)"
          R"("relatedLocations":[{"id":0,)" +
          place +
          R"("startLine":2,"startColumn":1,"endLine":2,"endColumn":2}},"message":{"text":"meant"}}],)"
          R"("fixes":[{"description":{"text":"write `y`"},"artifactChanges":[{)" +
          artifact +
          R"(,"replacements":[{"deletedRegion":{"startLine":1,"startColumn":3,"endLine":1,"endColumn":5},)"
          R"("insertedContent":{"text":"y"}}]}]}]},)"
          R"({"ruleId":"K0201","ruleIndex":0,"level":"warning","message":{"text":"m"},"locations":[{)" +
          place + R"("startLine":2,"startColumn":2,"endLine":2,"endColumn":2}}}]}]}]})" + "\n");
}

TEST_CASE("diagnostics of several files come together, those of a shared file once") {
  Diagnostics all;
  {
    Diagnostics hiding = one("secret", "secret", "a.pipe");
    hiding.hide(*hiding.entries()[0].source, {0, 6});
    all.append(hiding);
  }
  all.append(one("zz", "zz", "b.pipe"));
  all.append(one("zz", "zz", "b.pipe"));
  REQUIRE(all.entries().size() == 2);
  CHECK(all.entries()[1].source->path() == "b.pipe");
  CHECK(render_human(all, false).find("1 | ******\n") != std::string::npos);
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
