#include "dsl/plan/compile.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "nodes/register_nodes.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::dsl;

namespace {

/// The canonical pipeline with files in place of Kafka, and one replacement in its text.
std::vector<std::string> problems(const std::string& from, const std::string& to) {
  const std::string folder = std::filesystem::absolute("pipelines/control-chart").string();
  std::string text = R"(pipe 1
schema Window { x: f32[60] }
source windows = stdin { }
sink labels = stdout { show_key: true }
sink dead = file { path: "dead.json" }
model chart = onnx "FOLDER/control-chart.onnx" {
  labels: ["Normal", "Cyclic", "Increasing Trend", "Decreasing Trend", "Upward Shift", "Downward Shift"],
}
on error dead
from windows
  |> parse csv as Window
  |> standardize x using "FOLDER/control-chart.scaler.toml"
  |> apply chart(x) as y
  |> to labels { key: meta.key, value: y.label }
)";
  if (!from.empty()) {
    REQUIRE(text.find(from) != std::string::npos);
    text.replace(text.find(from), from.size(), to);
  }
  for (std::size_t at = 0; (at = text.find("FOLDER")) != std::string::npos;)
    text.replace(at, 6, folder);
  const std::string path = (std::filesystem::temp_directory_path() /
                            ("compile_test_" + std::to_string(::getpid()) + ".pipe"))
                               .string();
  std::ofstream(path) << text;
  NodeRegistry registry;
  nodes::register_all(registry);
  const Compiled compiled = compile_file(path, registry, {});
  std::filesystem::remove(path);
  CHECK_FALSE(compiled.unreadable);
  CHECK(compiled.plan.has_value() == !compiled.diagnostics.has_errors());
  std::vector<std::string> found;
  for (const Diagnostic& entry : compiled.diagnostics.entries()) {
    const Position place = entry.source->position(entry.span.begin);
    found.push_back(std::to_string(place.line) + ":" + std::to_string(place.column) + " " +
                    std::string{name_of(entry.code)});
  }
  return found;
}

using Problems = std::vector<std::string>;

}  // namespace

TEST_CASE("the pipeline is sound") { CHECK(problems("", "") == Problems{}); }

TEST_CASE("each mistake is found at its place, and once") {
  CHECK(problems("standardize x", "standardize z") == Problems{"12:18 K0201"});
  CHECK(problems("apply chart(x)", "apply chat(x)") == Problems{"13:12 K0201"});
  CHECK(problems("y.label", "y.lable") == Problems{"14:42 K0201"});
  CHECK(problems("to labels", "to lables") == Problems{"14:9 K0201"});
  CHECK(problems("f32[60]", "f32[59]") == Problems{"13:6 K0401"});
  CHECK(problems("f32[60]", "f33[60]") == Problems{"2:20 K0304"});
  CHECK(problems(", \"Downward Shift\"", "") == Problems{"7:11 K0402"});
  CHECK(problems("control-chart.onnx", "missing.onnx") == Problems{"6:20 K0405"});
  CHECK(problems("control-chart.scaler.toml", "missing.toml") == Problems{"12:26 K0405"});
  CHECK(problems("on error dead", "") == Problems{"11:6 K0601"});
  CHECK(problems("path: \"dead.json\"", "") == Problems{"5:13 K0303"});
  CHECK(problems("show_key: true", "show_kye: true") == Problems{"4:24 K0201"});
  CHECK(problems("|> to labels { key: meta.key, value: y.label }", "") == Problems{"10:1 K0502"});
  CHECK(problems("sink dead", "sink labels") == Problems{"5:6 K0202", "9:10 K0201"});
}
