// What a product or convolution is told to compute of the nodes behind it, and when it is not.
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/compile.hpp"
#include "nodes/model/vector_kernels_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

GraphNode node_of(std::string op, std::vector<std::string> inputs, std::string output) {
  return {.op = std::move(op),
          .name = output,
          .inputs = std::move(inputs),
          .outputs = {output},
          .attributes = {}};
}

constexpr std::int64_t fused_columns = 3;

/// x [N,4] · w [4,3], and what `nodes` make of it, to the outputs.
Program compiled(std::vector<GraphNode> nodes, const std::vector<std::string>& outputs) {
  Graph graph;
  graph.opset = 17;
  graph.initializers["w"] = known_floats({4, fused_columns}, random_numbers(4 * fused_columns, 1));
  graph.initializers["b"] = known_floats({fused_columns}, {0.5F, -0.25F, 0});
  graph.nodes.push_back(node_of("MatMul", {"x", "w"}, "p"));
  for (GraphNode& node : nodes) graph.nodes.push_back(std::move(node));
  graph.inputs.push_back({.name = "x", .element = Element::F32, .dims = {-1, 4}});
  for (const std::string& name : outputs) graph.outputs.push_back({.name = name, .dims = {}});
  auto program = compile(graph, std::vector<std::size_t>{4});
  REQUIRE(program);
  return std::move(*program);
}

/// The first output for a record of ones.
std::vector<float> run(const Program& program) {
  const ProgramMemory memory = program.make_memory();
  const LaneMemory lanes = memory.lanes(1);
  for (std::size_t i = 0; i < 4; ++i) {
    lanes.lanes_at<float>(program.inputs[0].first + i)[0] = i % 2 == 0 ? 1.0F : -1.5F;
  }
  program.run(lanes);
  std::vector<float> out;
  for (std::size_t i = 0; i < program.outputs[0].width; ++i) {
    out.push_back(lanes.lanes_at<float>(program.outputs[0].first + i)[0]);
  }
  return out;
}

std::vector<float> wanted(bool bias, bool rectified) {
  const auto weights = random_numbers(4 * fused_columns, 1);
  std::vector<float> out;
  for (std::size_t c = 0; c < fused_columns; ++c) {
    float sum = bias ? std::vector<float>{0.5F, -0.25F, 0}[c] : 0;
    for (std::size_t i = 0; i < 4; ++i)
      sum += (i % 2 == 0 ? 1.0F : -1.5F) * weights[i * fused_columns + c];
    out.push_back(rectified && sum < 0 ? 0 : sum);
  }
  return out;
}

void check(const Program& program, std::size_t kernels, const std::vector<float>& numbers) {
  CHECK(program.kernels.size() == kernels);
  const std::vector<float> is = run(program);
  REQUIRE(is.size() == numbers.size());
  for (std::size_t i = 0; i < is.size(); ++i) {
    CHECK(close(static_cast<double>(is[i]), static_cast<double>(numbers[i]), 1e-6));
  }
}

}  // namespace

TEST_CASE("a product adds the bias behind it and cuts off below zero, all in one kernel") {
  check(compiled({}, {"p"}), 1, wanted(false, false));
  check(compiled({node_of("Relu", {"p"}, "y")}, {"y"}), 1, wanted(false, true));
  check(compiled({node_of("Add", {"p", "b"}, "y")}, {"y"}), 1, wanted(true, false));
  check(compiled({node_of("Add", {"b", "p"}, "q"), node_of("Relu", {"q"}, "y")}, {"y"}), 1,
        wanted(true, true));
  // A second one of either is a kernel of its own.
  check(compiled({node_of("Relu", {"p"}, "q"), node_of("Relu", {"q"}, "y")}, {"y"}), 1,
        wanted(false, true));
}

TEST_CASE("a product that something else reads stays as it is") {
  check(compiled({node_of("Relu", {"p"}, "y")}, {"p", "y"}), 2, wanted(false, false));
  check(compiled({node_of("Relu", {"p"}, "y")}, {"y", "p"}), 2, wanted(false, true));
  check(compiled({node_of("Add", {"p", "b"}, "q"), node_of("Relu", {"p"}, "r"),
                  node_of("Relu", {"q"}, "y")},
                 {"y", "r"}),
        4, wanted(true, true));
  // Under another name it is the same tensor, read or not.
  for (const char* const alias : {"Identity", "Flatten"}) {
    check(compiled({node_of(alias, {"p"}, "i"), node_of("Relu", {"p"}, "y")}, {"i", "y"}), 2,
          wanted(false, false));
    check(compiled({node_of(alias, {"p"}, "i"), node_of("Add", {"p", "b"}, "y")}, {"i", "y"}), 2,
          wanted(false, false));
  }
  check(compiled({node_of("Identity", {"p"}, "i"), node_of("Relu", {"i"}, "y")}, {"y", "p"}), 2,
        wanted(false, true));
}

TEST_CASE("in a loop the first node of a turn does not change what was computed before it") {
  Graph turn;
  turn.inputs = {{.name = "i", .dims = {}}, {.name = "go", .dims = {}}, {.name = "s", .dims = {}}};
  turn.nodes = {node_of("Relu", {"p"}, "r"), node_of("Add", {"s", "r"}, "t")};
  turn.outputs = {{.name = "go", .dims = {}}, {.name = "t", .dims = {}}};
  GraphNode loop = node_of("Loop", {"three", "", "zero"}, "y");
  loop.attributes["body"].graph = std::make_shared<const Graph>(std::move(turn));
  GraphNode three = node_of("Constant", {}, "three");
  three.attributes["value_int"].integer = 3;
  GraphNode zero = node_of("Constant", {}, "zero");
  zero.attributes["value_floats"].numbers = {0, 0, 0};
  std::vector<float> sums = wanted(false, true);
  for (float& sum : sums) sum *= 3;
  const Program program = compiled({std::move(three), std::move(zero), std::move(loop)}, {"y"});
  CHECK(program.kernels.size() >= 4);
  check(program, program.kernels.size(), sums);
}
