#include "dsl/parse/parse.hpp"

#include <fstream>
#include <iterator>
#include <random>

#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::dsl;

namespace {

struct Parsed {
  ast::File file;
  Diagnostics diagnostics;
  std::vector<std::string> problems;  // "line:column code"
};

Parsed parse_text(std::string text) {
  Parsed parsed;
  const TokenBuffer tokens = lex(std::make_shared<const SourceBuffer>("t.pipe", std::move(text)));
  parsed.file = parse(tokens, parsed.diagnostics);
  for (const Diagnostic& entry : parsed.diagnostics.entries()) {
    const Position place = entry.source->position(entry.span.begin);
    parsed.problems.push_back(std::to_string(place.line) + ":" + std::to_string(place.column) +
                              " " + std::string{name_of(entry.code)});
  }
  return parsed;
}

std::string canonical() {
  std::ifstream file("pipelines/control-chart/control-chart.pipe");
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

using Problems = std::vector<std::string>;

}  // namespace

TEST_CASE("the canonical file is a tree without problems") {
  const Parsed parsed = parse_text(canonical());
  CHECK(parsed.problems == Problems{});
  REQUIRE(parsed.file.items.size() == 9);
  const auto& chain = std::get<ast::Chain>(parsed.file.items[6].data);
  REQUIRE(chain.stages.size() == 4);
  CHECK(chain.stages[0].schema.text == "Window");
  CHECK(chain.stages[1].column.text == "x");
  CHECK(chain.stages[2].operands.size() == 1);
  CHECK(chain.stages[3].options.entries.size() == 2);
  CHECK(std::get<ast::Test>(parsed.file.items[8].data).steps.size() == 3);
}

TEST_CASE("the rest of the grammar is understood") {
  const Parsed parsed = parse_text(R"(pipe 1
use "m.pipe" as m
param limit: f64 = 0.5 { min: 0, max: 1 }
schema S { a: i64 from "a", t: f32[3]? from "t0".."t2", }
fn twice(v: f64): f64 = v * 2 + 1
deliver exactly_once
stream clean = from merge(a, b)
  |> filter a.x != null and not (b or c) in [1, 2] else drop
  |> derive { z = if a > 1 then -b[0] else c ?? 2, w = meta.headers["x"] }
  |> keep { z, w }
from clean |> vector v = [z, w] |> apply m.chart(v) as y { missing: nan }
  |> route { y.score > 0.5 => good, else => drop }
from good |> to out { headers: { "a" = y.label }, create: { partitions = 3 } } else dead
)");
  CHECK(parsed.problems == Problems{});
  CHECK(parsed.file.items.size() == 8);
}

TEST_CASE("each damaged item or stage is reported once, and the others are understood") {
  CHECK(parse_text("schema A { x: f32 }").problems == Problems{"1:1 K0101"});
  CHECK(parse_text("pipe 2\nschema A { x: f32 }").problems == Problems{"1:6 K0104"});
  CHECK(parse_text("pipe 1\nschema A { x: f32 y: f32 }").problems == Problems{"2:19 K0101"});
  CHECK(parse_text("pipe 1\nsource a = kafka { topic: \"a }\nsink b = stdout").problems ==
        Problems{"2:27 K0102"});
  CHECK(parse_text("pipe 1\nfrom a\n  | parse csv as W\n  |> to b").problems ==
        Problems{"3:3 K0101"});
  CHECK(parse_text("pipe 1\nfrom a\n  |> prase csv as W\n  |> too b").problems ==
        Problems{"3:6 K0101", "4:6 K0101"});
  CHECK(parse_text("pipe 1\nsuorce a = stdin\nsink b = stdout").problems == Problems{"2:1 K0101"});
  CHECK(parse_text("pipe 1\nschema as { x: f32 }").problems == Problems{"2:8 K0202"});
  CHECK(parse_text("pipe 1\nfrom a |> filter 1 < 2 < 3 |> to b").problems ==
        Problems{"2:24 K0101"});
  CHECK(parse_text("pipe 1\nfrom a |> route { x => b } |> to c").problems ==
        Problems{"2:26 K0101"});
  CHECK(parse_text("pipe 1\nsink a = stdout {").problems == Problems{"2:18 K0101"});
}

TEST_CASE("deep nesting is refused, not followed") {
  for (const char* open : {"(", "-", "not ", "[", "if ", "a(", "a["}) {
    std::string text = "pipe 1\nfrom a |> filter ";
    for (int i = 0; i < 100'000; ++i) text += open;
    INFO(open);
    const Parsed parsed = parse_text(text);
    REQUIRE(parsed.problems.size() == 1);
    CHECK(parsed.problems[0].ends_with("K0101"));
  }
  std::string members = "pipe 1\nfrom a |> filter a";
  for (int i = 0; i < 100'000; ++i) members += ".b";
  CHECK(parse_text(members).problems.size() == 1);
}

TEST_CASE("a damaged file never stops the parser") {
  const std::string valid = canonical();
  std::mt19937 random(7);
  for (int round = 0; round < 3'000; ++round) {
    std::string text = valid;
    for (std::size_t edits = 1 + random() % 3; edits > 0; --edits) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text.erase(at, 1 + random() % 8);
          break;
        case 1:
          text.insert(at, 1, static_cast<char>(random()));
          break;
        default:
          text[at] = "{}[]()|>\"\\,:=.#"[random() % 15];
      }
      if (text.empty()) text = " ";
    }
    const Parsed parsed = parse_text(text);
    REQUIRE(parsed.file.source != nullptr);
  }
}
