// Registers that nothing reads any more are written again, and those that must stay are not.
#include <cmath>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/compile.hpp"
#include "nodes/model/name_reads.hpp"
#include "nodes/model/name_set.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace kaspar::nodes;

namespace {

GraphNode node_of(std::string op, std::vector<std::string> inputs,
                  std::vector<std::string> outputs) {
  return {.op = std::move(op),
          .name = outputs.front(),
          .inputs = std::move(inputs),
          .outputs = std::move(outputs),
          .attributes = {}};
}

constexpr std::size_t width = 4;

/// Of x [N,4], and a constant `ten` of as many.
Program compiled(std::vector<GraphNode> nodes, const std::vector<std::string>& outputs) {
  Graph graph;
  graph.opset = 17;
  graph.initializers["ten"] = known_floats({width}, {10, 10, 10, 10});
  graph.nodes = std::move(nodes);
  graph.inputs.push_back({.name = "x", .element = Element::F32, .dims = {-1, width}});
  for (const std::string& name : outputs) graph.outputs.push_back({.name = name, .dims = {}});
  auto program = compile(graph, std::vector<std::size_t>{width});
  REQUIRE(program);
  return std::move(*program);
}

/// The first numbers of the outputs for a record of `value`.
std::vector<float> run(const Program& program, const ProgramMemory& memory, float value) {
  const LaneMemory lanes = memory.lanes(1);
  for (std::size_t i = 0; i < width; ++i) {
    lanes.lanes_at<float>(program.inputs[0].first + i)[0] = value;
  }
  program.run(lanes);
  std::vector<float> out;
  for (const ProgramOutput& output : program.outputs) {
    out.push_back(lanes.lanes_at<float>(output.first)[0]);
  }
  return out;
}

}  // namespace

TEST_CASE("a long chain needs few registers") {
  std::vector<GraphNode> nodes;
  std::string last = "x";
  for (int i = 0; i < 1000; ++i) {
    const std::string next = "c" + std::to_string(i);
    nodes.push_back(node_of(i % 2 == 0 ? "Neg" : "Abs", {last}, {next}));
    last = next;
  }
  const Program program = compiled(std::move(nodes), {last});
  CHECK(program.kernels.size() == 1000);
  CHECK(program.registers <= 1 + 4 * width);
  const ProgramMemory memory = program.make_memory();
  CHECK(run(program, memory, -3) == std::vector<float>{3});
}

TEST_CASE("constants, outputs, and what is read later stay, run after run") {
  const Program program =
      compiled({node_of("Neg", {"x"}, {"a"}), node_of("Neg", {"a"}, {"b"}),
                node_of("Add", {"b", "ten"}, {"c"}), node_of("Neg", {"c"}, {"d"}),
                node_of("Identity", {"d"}, {"e"}), node_of("Add", {"e", "c"}, {"f"}),
                node_of("Add", {"f", "ten"}, {"g"}), node_of("Sub", {"g", "d"}, {"h"})},
               {"h", "a", "c"});
  const ProgramMemory memory = program.make_memory();
  for (const float x : {1.0F, 5.0F, -2.0F}) {
    CHECK(run(program, memory, x) == std::vector<float>{10 + (x + 10), -x, x + 10});
  }
}

TEST_CASE("parts of a tensor are written again only when none of it is read") {
  GraphNode split = node_of("Split", {"a"}, {"left", "right"});
  split.attributes["axis"].integer = 1;
  split.attributes["split"].integers = {2, 2};
  const Program program =
      compiled({node_of("Neg", {"x"}, {"a"}), std::move(split), node_of("Neg", {"left"}, {"p"}),
                node_of("Abs", {"p"}, {"q"}), node_of("Abs", {"q"}, {"r"}),
                node_of("Add", {"r", "right"}, {"s"})},
               {"s"});
  const ProgramMemory memory = program.make_memory();
  for (const float x : {3.0F, -4.0F}) {
    CHECK(run(program, memory, x) == std::vector<float>{std::abs(x) - x});
  }
}

TEST_CASE("what a loop reads at every turn stays") {
  Graph turn;
  turn.inputs = {{.name = "i", .dims = {}}, {.name = "go", .dims = {}}, {.name = "s", .dims = {}}};
  turn.nodes = {node_of("Neg", {"a"}, {"n"}), node_of("Abs", {"n"}, {"m"}),
                node_of("Add", {"s", "m"}, {"t"})};
  turn.outputs = {{.name = "go", .dims = {}}, {.name = "t", .dims = {}}};
  GraphNode three = node_of("Constant", {}, {"three"});
  three.attributes["value_int"].integer = 3;
  GraphNode loop = node_of("Loop", {"three", "", "x"}, {"y"});
  loop.attributes["body"].graph = std::make_shared<const Graph>(std::move(turn));
  const Program program =
      compiled({node_of("Neg", {"x"}, {"a"}), std::move(three), std::move(loop)}, {"y"});
  const ProgramMemory memory = program.make_memory();
  for (const float x : {2.0F, -1.0F}) {
    CHECK(run(program, memory, x) == std::vector<float>{x + 3 * std::abs(x)});
  }
}

TEST_CASE("reads of a name are summed up") {
  NameReads reads;
  for (const char* name : {"a", "b", "a", "a"}) reads.add(name);
  reads.add_for_ever("b");
  reads.sum_up();
  CHECK(reads.of(name_hash("a")) == 3);
  CHECK(reads.of(name_hash("b")) == NameReads::for_ever);
  CHECK(reads.of(name_hash("c")) == 0);
}

TEST_CASE("a set of names holds each once, zero and one as well") {
  NameSet names;
  CHECK_FALSE(names.contains(7));
  for (std::uint64_t hash = 1; hash < 1000; ++hash) CHECK(names.insert(hash << 40));
  CHECK(names.insert(0));
  CHECK_FALSE(names.insert(0));
  for (std::uint64_t hash = 1; hash < 1000; ++hash) {
    CHECK(names.contains(hash << 40));
    CHECK_FALSE(names.insert(hash << 40));
    CHECK_FALSE(names.contains((hash << 40) + 2));
  }
  CHECK(names.size() == 1000);
}
