// Branches and loops: a branch is chosen, and a loop unrolled, while the model is compiled. What
// decides has to be known by then, as it is in exports, where it comes from shapes.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/graph_lowering.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::string_view fixed_steps =
    "export it for sequences of a fixed length: `keras.Input((STEPS, FEATURES))`, or "
    "`dynamic_shapes` for the batch alone";

const Graph& graph_of(const NodeLowering& node, std::string_view attribute) {
  const Attribute* found = node.attribute(attribute);
  if (found == nullptr || found->graph == nullptr) {
    node.damaged(fmt::format("no `{}`", attribute));
  }
  return *found->graph;
}

constexpr std::size_t attribute_copies = 4;  // that kernels keep of what a node says

/// What a turn of a loop takes beside the tensors that it makes: its nodes are lowered anew.
void count_turn(NodeLowering& node, const Graph& graph) {
  std::size_t names = 1 + graph.inputs.size() + graph.outputs.size() + graph.initializers.size();
  std::size_t held = 0;
  for (const GraphNode& inner : graph.nodes) {
    names += 1 + inner.inputs.size() + inner.outputs.size();
    for (const auto& [name, attribute] : inner.attributes) {
      held += attribute.numbers.size() + 2 * attribute.integers.size() +
              attribute.text.size() / sizeof(float);
      if (attribute.tensor) held += attribute.tensor->size();
      for (std::size_t i = 0; i < attribute.texts.size(); ++i) {
        held += (sizeof(std::string) + attribute.texts[i].size()) / sizeof(float);
      }
    }
  }
  node.count_unrolled(names);
  node.charge(attribute_copies * held);
}

/// Lowers a graph inside the one at hand, with `inputs` as its inputs; what its outputs are.
std::vector<Tensor> lower_inner(NodeLowering& node, const Graph& graph,
                                std::vector<Tensor> inputs) {
  count_turn(node, graph);
  const GraphNode* outer = node.node();
  NodeLowering::Scope scope(node);
  if (inputs.size() != graph.inputs.size()) {
    node.damaged(fmt::format("{} inputs of a graph for {}", graph.inputs.size(), inputs.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    node.charge(inputs[i].refs.size());  // a loop copies it at each step
    scope.define(graph.inputs[i].name, std::move(inputs[i]));
  }
  for (const auto& [name, constant] : graph.initializers) {
    node.charge(constant.size());
    scope.define(name, constant);
  }
  for (const GraphNode& inner : graph.nodes) {
    for (const std::string& name : inner.outputs) scope.hide(name);
  }
  for (const GraphNode& inner : graph.nodes) lower_node(node, inner);
  std::vector<Tensor> outputs;
  for (const GraphPort& port : graph.outputs) {
    outputs.push_back(node.tensor(port.name));
    node.charge(outputs.back().refs.size());
  }
  node.enter(outer);
  return outputs;
}

/// A condition, if it is known.
std::optional<bool> decided(const NodeLowering& node, const Tensor& condition) {
  if (condition.element != Element::Bool || condition.size() != 1) {
    node.damaged("a condition that is no Bool");
  }
  if (!condition.known()) return std::nullopt;
  return condition.floats()[0] != 0;
}

void branch(NodeLowering& node) {
  const std::optional<bool> holds = decided(node, node.in(0));
  if (!holds)
    node.unsupported("where the condition depends on the data",
                     "export it without the choice, or choose in the pipeline: one model a branch");
  std::vector<Tensor> made =
      lower_inner(node, graph_of(node, *holds ? "then_branch" : "else_branch"), {});
  if (made.size() < node.output_count()) node.damaged("a branch with too few outputs");
  for (std::size_t i = 0; i < node.output_count(); ++i) node.define(i, std::move(made[i]));
}

/// A step's outputs one after the other, in a new first dimension.
Tensor stacked(NodeLowering& node, std::vector<Tensor> steps) {
  if (steps.empty()) node.unsupported("that makes no step");
  Tensor out{.dims = steps[0].dims, .element = steps[0].element};
  out.dims.insert(out.dims.begin(), static_cast<std::int64_t>(steps.size()));
  for (const Tensor& step : steps) {
    if (step.dims != steps[0].dims || step.element != out.element) {
      node.unsupported("whose steps' outputs are of different shapes");
    }
    node.charge(step.size());
    const Tensor held = node.in_registers(step);
    out.refs.insert(out.refs.end(), held.refs.begin(), held.refs.end());
  }
  return out;
}

void loop(NodeLowering& node) {
  const Graph& body = graph_of(node, "body");
  std::int64_t most = std::numeric_limits<std::int64_t>::max();
  if (node.has(0)) {
    if (!node.in(0).known())
      node.unsupported("whose number of steps depends on the data", fixed_steps);
    const Dims trips = node.known_integers(0);
    if (trips.size() != 1) node.damaged("a number of steps that is none");
    most = trips[0];
  }
  std::vector<Tensor> carried;
  for (std::size_t i = 2; i < node.input_count(); ++i) carried.push_back(node.in(i));
  const std::size_t states = carried.size();
  if (body.outputs.size() < 1 + states || body.outputs.size() - 1 < node.output_count()) {
    node.damaged("a body with too few outputs");
  }
  std::vector<std::vector<Tensor>> steps(body.outputs.size() - 1 - states);
  Tensor condition = node.has(1) ? node.in(1) : known_number(Element::Bool, 1);
  for (std::int64_t step = 0; step < most; ++step) {
    const std::optional<bool> goes_on = decided(node, condition);
    if (!goes_on) node.unsupported("whose end depends on the data", fixed_steps);
    if (!*goes_on) break;
    std::vector<Tensor> inputs{known_ints({}, {step}), std::move(condition)};
    inputs.insert(inputs.end(), carried.begin(), carried.end());
    std::vector<Tensor> made = lower_inner(node, body, std::move(inputs));
    condition = std::move(made[0]);
    for (std::size_t i = 0; i < states; ++i) carried[i] = std::move(made[1 + i]);
    for (std::size_t i = 0; i < steps.size(); ++i) {
      steps[i].push_back(std::move(made[1 + states + i]));
    }
  }
  for (std::size_t i = 0; i < states; ++i) node.define(i, std::move(carried[i]));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (node.wants(states + i)) node.define(states + i, stacked(node, std::move(steps[i])));
  }
}

/// One of the attribute's integers, 0 if it has none.
std::int64_t of_scan(const NodeLowering& node, std::string_view name, std::size_t i) {
  const Attribute* given = node.attribute(name);
  if (given == nullptr || given->integers.empty()) return 0;
  if (i >= given->integers.size()) node.damaged(fmt::format("`{}` of another number", name));
  return given->integers[i];
}

/// A loop whose steps each take a slice of some inputs: as many as there are slices.
void scan(NodeLowering& node) {
  if (node.opset() < 9) node.unsupported("of version 8");
  const Graph& body = graph_of(node, "body");
  const std::int64_t count = node.integer("num_scan_inputs", 0);
  if (count < 1 || count > static_cast<std::int64_t>(node.input_count())) {
    node.damaged("`num_scan_inputs`");
  }
  const std::size_t states = node.input_count() - static_cast<std::size_t>(count);
  if (body.outputs.size() < states || body.outputs.size() < node.output_count()) {
    node.damaged("a body with too few outputs");
  }
  std::vector<Tensor> carried;
  for (std::size_t i = 0; i < states; ++i) carried.push_back(node.in(i));
  std::vector<std::size_t> axes;
  std::int64_t length = 0;
  for (std::size_t i = states; i < node.input_count(); ++i) {
    const Tensor& sliced = node.in(i);
    axes.push_back(node.axis_of(of_scan(node, "scan_input_axes", i - states), sliced.dims.size()));
    if (i != states && sliced.dims[axes.back()] != length) node.damaged("slices of other numbers");
    length = sliced.dims[axes.back()];
  }
  std::vector<std::vector<Tensor>> steps(body.outputs.size() - states);
  for (std::int64_t step = 0; step < length; ++step) {
    std::vector<Tensor> inputs = carried;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      const Tensor& sliced = node.in(states + i);
      const bool back = of_scan(node, "scan_input_directions", i) != 0;
      Dims dims = sliced.dims;
      dims.erase(dims.begin() + static_cast<std::ptrdiff_t>(axes[i]));
      inputs.push_back(node.picked(
          sliced, axes[i], known_ints({}, {back ? length - 1 - step : step}), std::move(dims)));
    }
    std::vector<Tensor> made = lower_inner(node, body, std::move(inputs));
    for (std::size_t i = 0; i < states; ++i) carried[i] = std::move(made[i]);
    for (std::size_t i = 0; i < steps.size(); ++i) steps[i].push_back(std::move(made[states + i]));
  }
  for (std::size_t i = 0; i < states; ++i) node.define(i, std::move(carried[i]));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!node.wants(states + i)) continue;
    if (of_scan(node, "scan_output_axes", i) != 0) node.unsupported("with this output axis");
    if (of_scan(node, "scan_output_directions", i) != 0) std::ranges::reverse(steps[i]);
    node.define(states + i, stacked(node, std::move(steps[i])));
  }
}

}  // namespace

std::span<const NamedOperator> control_flow_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"If", branch, false},
      {"Loop", loop, false},
      {"Scan", scan, false},
  });
  return operators;
}

}  // namespace kaspar::nodes
