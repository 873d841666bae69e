#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "nodes/model/operators.hpp"
#include "nodes/model/recurrent_kernels.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::int64_t most_units = 65536;
constexpr std::size_t layer_elements = 256;  // of the kernel of one layer, whatever its size

Activation named_activation(const NodeLowering& node, std::string name) {
  using Kind = Activation::Kind;
  static const std::map<std::string_view, Activation> known{
      {"sigmoid", {Kind::Sigmoid}},     {"tanh", {Kind::Tanh}},
      {"relu", {Kind::Relu}},           {"leakyrelu", {Kind::LeakyRelu, 0.01F}},
      {"elu", {Kind::Elu, 1}},          {"hardsigmoid", {Kind::HardSigmoid, 0.2F, 0.5F}},
      {"softsign", {Kind::Softsign}},   {"softplus", {Kind::Softplus}},
      {"affine", {Kind::Affine, 1, 0}},
  };
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const auto found = known.find(name);
  if (found == known.end()) node.unsupported(fmt::format("with the activation `{}`", name));
  return found->second;
}

/// Of all directions, one after the other.
std::vector<Activation> activations_of(const NodeLowering& node,
                                       const std::vector<std::string>& usual,
                                       std::size_t directions) {
  std::vector<Activation> all;
  const Attribute* given = node.attribute("activations");
  const bool own = given != nullptr && !given->texts.empty();
  if (own && given->texts.size() != usual.size() * directions) {
    node.damaged("activations of another number");
  }
  for (std::size_t i = 0; i < usual.size() * directions; ++i) {
    all.push_back(named_activation(node, own ? given->texts[i] : usual[i % usual.size()]));
  }
  const Attribute* alpha = node.attribute("activation_alpha");
  const Attribute* beta = node.attribute("activation_beta");
  // They are given, in order, for those that take them; which these are, exporters disagree on.
  for (const auto& [values, what] :
       {std::pair{alpha, &Activation::alpha}, {beta, &Activation::beta}}) {
    if (values == nullptr || values->numbers.empty()) continue;
    if (values->numbers.size() != all.size()) node.unsupported("with so many alphas or betas");
    for (std::size_t i = 0; i < all.size(); ++i) all[i].*what = values->numbers[i];
  }
  return all;
}

/// The shapes that a layer's inputs have in common, checked.
struct Shapes {
  Shapes(NodeLowering& node, std::int64_t gates) {
    const std::string way = node.word("direction", "forward");
    if (way != "forward" && way != "reverse" && way != "bidirectional") {
      node.damaged("its direction");
    }
    directions = way == "bidirectional" ? 2 : 1;
    reverse = way == "reverse";
    batch_first = node.integer("layout", 0) != 0;
    const Tensor& x = node.floats_in(0);
    const Tensor& w = node.in(1);
    const Tensor& r = node.in(2);
    if (x.dims.size() != 3) node.damaged(fmt::format("an input {}", text(x.dims)));
    batch = x.dims[batch_first ? 0 : 1];
    if (!w.known() || !r.known()) node.unsupported("with weights that are computed");
    if (w.element != x.element || r.element != x.element) node.damaged("weights of another type");
    if (r.dims.size() != 3 || r.dims[2] < 1 || r.dims[2] > most_units) {
      node.damaged("its recurrent weights");
    }
    units = r.dims[2];
    length = x.dims[batch_first ? 1 : 0];
    inputs = x.dims[2];
    if (r.dims != Dims{directions, gates * units, units} ||
        w.dims != Dims{directions, gates * units, inputs} ||
        node.integer("hidden_size", units) != units) {
      node.damaged("weights that do not fit");
    }
    if (node.has(3) && (!node.in(3).known() || node.in(3).element != x.element ||
                        node.in(3).dims != Dims{directions, 2 * gates * units})) {
      node.damaged("a bias that does not fit");
    }
    lengths = node.has(4) ? node.known_integers(4) : Dims(static_cast<std::size_t>(batch), length);
    if (lengths.size() != static_cast<std::size_t>(batch)) node.damaged("lengths that do not fit");
    for (const std::int64_t one : lengths) {
      if (one < 0 || one > length) node.damaged("a length that does not fit");
    }
    y_dims = batch_first ? Dims{batch, length, directions, units}
                         : Dims{length, directions, batch, units};
    state_dims = batch_first ? Dims{batch, directions, units} : Dims{directions, batch, units};
  }
  std::int64_t directions = 1;
  bool reverse = false;
  bool batch_first = false;
  std::int64_t units = 0, length = 0, inputs = 0;
  std::int64_t batch = 0;  // 1 where a record is a batch of one
  Dims lengths;            // of each of the batch, in steps
  Dims y_dims, state_dims;
};

/// A state of its own for the run: a copy of the initial one, or zeros, set before each run.
Tensor state_of(NodeLowering& node, std::size_t input, const Shapes& shapes, Element element) {
  Tensor initial = known_tensor(Dims{}, Element::F64, std::vector<double>{0});
  initial = converted(initial, element);
  if (node.has(input)) {
    initial = node.in(input);
    if (initial.dims != shapes.state_dims || initial.element != element) {
      node.damaged(fmt::format("an initial state {} where {} is wanted", text(initial.dims),
                               text(shapes.state_dims)));
    }
  }
  return node.copied(node.expanded(node.in_registers(initial), shapes.state_dims));
}

/// Both biases of a gate's unit together.
template <class T>
T bias_of(const NodeLowering& node, std::size_t direction, std::size_t gates, std::size_t gate,
          bool recurrent) {
  if (!node.has(3)) return 0;
  return node.in(3).values<T>()[(direction * 2 + (recurrent ? 1 : 0)) * gates + gate];
}

template <class T>
RecurrentLayer<T> layer_of(NodeLowering& node, const Shapes& shapes, std::size_t direction,
                           std::size_t gates, const std::vector<Activation>& activations) {
  const auto units = static_cast<std::size_t>(shapes.units);
  const auto inputs = static_cast<std::size_t>(shapes.inputs);
  const std::size_t rows = gates * units;
  RecurrentLayer<T> layer;
  layer.out_stride = units;
  layer.inputs = inputs;
  layer.units = units;
  layer.reverse = shapes.reverse || direction == 1;
  if (node.attribute("clip") != nullptr) layer.clip = static_cast<T>(node.number("clip", 0));
  const std::size_t each = activations.size() / static_cast<std::size_t>(shapes.directions);
  const auto first = activations.begin() + static_cast<std::ptrdiff_t>(direction * each);
  layer.activations.assign(first, first + static_cast<std::ptrdiff_t>(each));
  node.charge(rows * (inputs + units));
  layer.weights.reserve(rows * (inputs + units));
  const std::vector<T>& w = node.in(1).values<T>();
  const std::vector<T>& r = node.in(2).values<T>();
  for (std::size_t gate = 0; gate < rows; ++gate) {
    const std::size_t row = direction * rows + gate;
    layer.weights.insert(layer.weights.end(), w.data() + row * inputs,
                         w.data() + (row + 1) * inputs);
    layer.weights.insert(layer.weights.end(), r.data() + row * units, r.data() + (row + 1) * units);
    layer.bias.push_back(bias_of<T>(node, direction, rows, gate, false) +
                         bias_of<T>(node, direction, rows, gate, true));
  }
  return layer;
}

/// Of f32, with nothing unusual: false if it is not.
bool emit_vector_layer(NodeLowering& node, std::size_t gates, const RecurrentLayer<float>& layer,
                       Register cell, const std::vector<float>& reset_bias) {
  if (gates == 4) {
    if (node.has(7) || node.integer("input_forget", 0) != 0 || !is_usual_lstm(layer)) return false;
    node.charge(2 * layer.weights.size());
    node.emit<VectorLstm>(layer, cell);
  } else if (gates == 3) {
    if (!is_usual_gru(layer)) return false;
    node.charge(2 * layer.weights.size());
    node.emit<VectorGru>(layer, node.integer("linear_before_reset", 0) != 0, reset_bias);
  } else {
    if (!is_usual_rnn(layer)) return false;
    node.emit<VectorRnn>(layer);
  }
  return true;
}

/// Emits the kernel of one direction for one of the batch.
template <class T>
void emit_layer(NodeLowering& node, std::size_t gates, std::size_t direction,
                RecurrentLayer<T> layer, Register cell) {
  const std::size_t units = layer.units;
  constexpr bool fast = std::is_same_v<T, float>;
  node.computes(layer.steps,
                layer.weights.size() * (fast ? 1 : 8) + gates * units * (fast ? 16 : 256));
  node.charge(layer_elements);
  const bool linear = gates == 3 && node.integer("linear_before_reset", 0) != 0;
  std::vector<T> reset_bias;
  for (std::size_t unit = 0; linear && unit < units; ++unit) {
    const std::size_t gate = 2 * units + unit;
    reset_bias.push_back(bias_of<T>(node, direction, gates * units, gate, true));
    layer.bias[gate] = bias_of<T>(node, direction, gates * units, gate, false);
  }
  if constexpr (std::is_same_v<T, float>) {
    if (emit_vector_layer(node, gates, layer, cell, reset_bias)) return;
  }
  if (gates == 4) {
    std::vector<T> peepholes;
    if (node.has(7)) {
      const std::vector<T>& all = node.in(7).values<T>();
      peepholes.assign(all.data() + direction * 3 * units,
                       all.data() + (direction + 1) * 3 * units);
    }
    node.emit<LstmKernel<T>>(std::move(layer), cell, std::move(peepholes),
                             node.integer("input_forget", 0) != 0);
  } else if (gates == 3) {
    node.emit<GruKernel<T>>(std::move(layer), linear, std::move(reset_bias));
  } else {
    node.emit<RnnKernel<T>>(std::move(layer));
  }
}

template <class T>
void lower_recurrent(NodeLowering& node, std::size_t gates) {
  const Shapes shapes(node, static_cast<std::int64_t>(gates));
  const auto units = static_cast<std::size_t>(shapes.units);
  const auto length = static_cast<std::size_t>(shapes.length);
  const auto batch = static_cast<std::size_t>(shapes.batch);
  const auto directions = static_cast<std::size_t>(shapes.directions);
  const bool is_lstm = gates == 4;
  const auto activations =
      activations_of(node,
                     is_lstm      ? std::vector<std::string>{"sigmoid", "tanh", "tanh"}
                     : gates == 3 ? std::vector<std::string>{"sigmoid", "tanh"}
                                  : std::vector<std::string>{"tanh"},
                     directions);
  const Element element = node.in(0).element;
  if (is_lstm && node.has(7) &&
      (!node.in(7).known() || node.in(7).element != element ||
       node.in(7).dims != Dims{shapes.directions, 3 * shapes.units})) {
    node.damaged("peepholes that do not fit");
  }
  // [batch, steps, …] in either layout
  const Tensor source =
      node.in_registers(shapes.batch_first ? node.in(0) : node.transposed(node.in(0), {1, 0, 2}));
  const Tensor hidden = state_of(node, 5, shapes, element);
  const Tensor cell = is_lstm ? state_of(node, 6, shapes, element) : Tensor{};
  const Tensor nothing = node.in_registers(known_number(element, 0));
  const Register scratch = node.allocate(
      element, std::max(std::max<std::size_t>(gates, 3) * units, recurrent_scratch(units)));
  Tensor y{.dims = shapes.y_dims, .element = element};
  y.refs.assign(node.checked_size(shapes.y_dims), nothing.refs.front());
  for (std::size_t d = 0; d < directions; ++d) {
    const RecurrentLayer<T> layer = layer_of<T>(node, shapes, d, gates, activations);
    for (std::size_t b = 0; b < batch; ++b) {
      const auto steps = static_cast<std::size_t>(shapes.lengths[b]);
      const std::size_t state = (shapes.batch_first ? b * directions + d : d * batch + b) * units;
      const Tensor part =
          node.ordered(source, {shapes.length, shapes.inputs},
                       node.walk({shapes.length, shapes.inputs}, {shapes.inputs, 1},
                                 static_cast<std::int64_t>(b) * shapes.length * shapes.inputs));
      const Tensor out = node.new_tensor({shapes.lengths[b], shapes.units}, element);
      RecurrentLayer<T> one = layer;
      node.charge(one.weights.size());
      one.in = node.contiguous(part);
      one.hidden = hidden.refs[state];
      one.scratch = scratch;
      one.out = NodeLowering::first_of(out);
      one.steps = steps;
      emit_layer(node, gates, d, std::move(one), is_lstm ? cell.refs[state] : 0);
      for (std::size_t step = 0; step < steps; ++step) {
        const std::size_t row = shapes.batch_first ? (b * length + step) * directions + d
                                                   : (step * directions + d) * batch + b;
        std::copy_n(out.refs.begin() + static_cast<std::ptrdiff_t>(step * units), units,
                    y.refs.begin() + static_cast<std::ptrdiff_t>(row * units));
      }
    }
  }
  node.define(0, std::move(y));
  node.define(1, hidden);
  if (is_lstm) node.define(2, cell);
}

void recurrent(NodeLowering& node) {
  const std::size_t gates = node.op() == "LSTM" ? 4 : node.op() == "GRU" ? 3 : 1;
  if (node.floats_in(0).element == Element::F64) {
    lower_recurrent<double>(node, gates);
  } else {
    lower_recurrent<float>(node, gates);
  }
}

}  // namespace

std::span<const NamedOperator> recurrent_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"GRU", recurrent},
      {"LSTM", recurrent},
      {"RNN", recurrent},
  });
  return operators;
}

}  // namespace kaspar::nodes
