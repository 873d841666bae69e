#include <fmt/core.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

/// The state's registers are overwritten while it runs, so they are set before each run.
void set_state(NodeLowering& node, std::size_t input, Register first, const Dims& dims) {
  Tensor initial;
  if (node.has(input)) {
    initial = node.in(input);
    if (initial.dims != dims) {
      node.damaged(fmt::format("an initial state {} where one record wants {}", text(initial.dims),
                               text(dims)));
    }
  } else {
    initial = {.dims = dims, .known = true};
    initial.floats.assign(product(dims, 0, dims.size()), 0.0F);
  }
  node.emit(MoveStep{.out = first, .from = node.in_registers(initial).refs});
}

void lstm(NodeLowering& node) {
  const Attribute* direction = node.attribute("direction");
  const std::string way = direction == nullptr ? "forward" : direction->text;
  const std::size_t directions = way == "bidirectional" ? 2 : 1;
  if (way != "forward" && way != "reverse" && way != "bidirectional") node.damaged("its direction");
  const bool batch_first = node.integer("layout", 0) != 0;
  if (node.integer("input_forget", 0) != 0) node.unsupported("with `input_forget`");
  if (node.attribute("clip") != nullptr) node.unsupported("with `clip`");
  if (node.attribute("activations") != nullptr) {
    static const std::vector<std::string> usual{"Sigmoid", "Tanh", "Tanh"};
    const auto& named = node.attribute("activations")->texts;
    for (std::size_t i = 0; i < named.size(); ++i) {
      if (named[i] != usual[i % 3]) node.unsupported("with other activations");
    }
  }
  if (node.has(7)) node.unsupported("with peepholes");
  const Tensor& x = node.in(0);
  const Tensor& w = node.in(1);
  const Tensor& r = node.in(2);
  if (x.dims.size() != 3 || x.dims[batch_first ? 0 : 1] != 1) {
    node.damaged(fmt::format("an input {}", text(x.dims)));
  }
  if (!w.known || !r.known || w.integer || r.integer)
    node.unsupported("with weights that are computed");
  if (r.dims.size() != 3 || r.dims[2] < 1 || r.dims[2] > 65536)
    node.damaged("its recurrent weights");
  const std::int64_t units = r.dims[2];
  const std::int64_t length = x.dims[batch_first ? 1 : 0];
  const std::int64_t inputs = x.dims[2];
  const auto ways = static_cast<std::int64_t>(directions);
  if (r.dims != Dims{ways, 4 * units, units} || w.dims != Dims{ways, 4 * units, inputs} ||
      node.integer("hidden_size", units) != units) {
    node.damaged("weights that do not fit");
  }
  if (node.has(3) &&
      (!node.in(3).known || node.in(3).integer || node.in(3).dims != Dims{ways, 8 * units})) {
    node.damaged("a bias that does not fit");
  }
  if (node.has(4)) {
    const Dims lengths = node.known_integers(4);
    if (lengths != Dims{length}) node.unsupported("with sequences of several lengths");
  }
  const auto count = static_cast<std::size_t>(units);
  const auto steps = static_cast<std::size_t>(length);
  const auto width = static_cast<std::size_t>(inputs);
  // Both layouts of one record have their elements in the same order.
  const Dims y_dims = batch_first ? Dims{1, length, ways, units} : Dims{length, ways, 1, units};
  const Dims state_dims = batch_first ? Dims{1, ways, units} : Dims{ways, 1, units};
  const Register source = node.contiguous(x);
  const Register y = node.allocate(node.checked_size(y_dims));
  const Register hidden = node.allocate(directions * count);
  const Register cell = node.allocate(directions * count);
  set_state(node, 5, hidden, state_dims);
  set_state(node, 6, cell, state_dims);
  const Register gates = node.allocate(4 * count);
  for (std::size_t d = 0; d < directions; ++d) {
    LstmStep step{.in = source,
                  .hidden = static_cast<Register>(hidden + d * count),
                  .cell = static_cast<Register>(cell + d * count),
                  .gates = gates,
                  .out = static_cast<Register>(y + d * count),
                  .out_stride = directions * count,
                  .steps = steps,
                  .inputs = width,
                  .units = count,
                  .reverse = way == "reverse" || d == 1,
                  .weights = {},
                  .bias = std::vector<float>(4 * count)};
    node.charge(4 * count * (width + count));
    step.weights.reserve(4 * count * (width + count));
    for (std::size_t gate = 0; gate < 4 * count; ++gate) {
      const std::size_t row = d * 4 * count + gate;
      const float* from_input = w.floats.data() + row * width;
      const float* from_hidden = r.floats.data() + row * count;
      step.weights.insert(step.weights.end(), from_input, from_input + width);
      step.weights.insert(step.weights.end(), from_hidden, from_hidden + count);
      if (node.has(3)) {
        const float* bias = node.in(3).floats.data() + d * 8 * count;
        step.bias[gate] = bias[gate] + bias[4 * count + gate];
      }
    }
    node.emit(std::move(step));
  }
  node.define(0, node.new_tensor(y_dims, y));
  node.define(1, node.new_tensor(state_dims, hidden));
  node.define(2, node.new_tensor(state_dims, cell));
}

}  // namespace

std::span<const NamedOperator> recurrent_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"LSTM", lstm},
  });
  return operators;
}

}  // namespace kaspar::nodes
