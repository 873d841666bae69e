// Networks that step through a sequence: one direction of ONNX's LSTM, GRU and RNN.
//
// Formulas: https://onnx.ai/onnx/operators/, "LSTM", "GRU", "RNN".
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "nodes/model/program.hpp"

namespace kaspar::nodes {

/// What a gate's sum goes through.
struct Activation {
  enum class Kind : std::uint8_t {
    Sigmoid,
    Tanh,
    Relu,
    LeakyRelu,
    Elu,
    HardSigmoid,
    Softsign,
    Softplus,
    Affine,
  };
  Kind kind = Kind::Sigmoid;
  float alpha = 0;
  float beta = 0;

  template <class T>
  [[nodiscard]] Lane<T> operator()(const Lane<T>& x) const noexcept {
    const auto a = static_cast<T>(alpha);
    const auto b = static_cast<T>(beta);
    switch (kind) {
      case Kind::Sigmoid:
        return x.logistic();
      case Kind::Tanh:
        return x.tanh();
      case Kind::Relu:
        return (x < T{0}).select(T{0}, x);
      case Kind::LeakyRelu:
        return (x < T{0}).select(a * x, x);
      case Kind::Elu:
        return (x < T{0}).select(a * (x.exp() - T{1}), x);
      case Kind::HardSigmoid:
        return (a * x + b).max(T{0}).min(T{1});
      case Kind::Softsign:
        return x / (T{1} + x.abs());
      case Kind::Softplus:
        return x.max(T{0}) + (T{1} + (-x.abs()).exp()).log();
      case Kind::Affine:
        return a * x + b;
    }
    return x;
  }
};

/// Where one direction of a layer reads and writes. The state is overwritten by each step.
template <class T>
struct RecurrentLayer {
  Register in = 0;             // [steps, inputs]
  Register hidden = 0;         // [units], initial; replaced by the last
  Register scratch = 0;        // [gates * units]
  Register out = 0;            // first step's first unit
  std::size_t out_stride = 0;  // elements from one step to the next
  std::size_t steps = 0, inputs = 0, units = 0;
  bool reverse = false;
  T clip = std::numeric_limits<T>::infinity();  // of each gate's sum
  std::vector<T> weights;                       // [gates * units, inputs + units]
  std::vector<T> bias;                          // [gates * units]
  std::vector<Activation> activations;

  static constexpr Register each = registers_of<T>;

  [[nodiscard]] std::size_t step(std::size_t done) const noexcept {
    return reverse ? steps - 1 - done : done;
  }
  [[nodiscard]] std::size_t input_of(std::size_t now) const noexcept {
    return in + now * inputs * each;
  }
  [[nodiscard]] const T* row(std::size_t gate) const noexcept {
    return weights.data() + gate * (inputs + units);
  }
  void accumulate(LaneMemory memory, Lane<T>& sum, const T* factors, std::size_t from,
                  std::size_t count) const noexcept {
    for (std::size_t i = 0; i < count; ++i) sum += factors[i] * memory.at<T>(from + i * each);
  }
  /// The sum of a gate's bias, inputs and last outputs.
  [[nodiscard]] Lane<T> sum(LaneMemory memory, std::size_t gate, std::size_t input) const noexcept {
    Lane<T> all = Lane<T>::Constant(bias[gate]);
    accumulate(memory, all, row(gate), input, inputs);
    accumulate(memory, all, row(gate) + inputs, hidden, units);
    return all;
  }
  [[nodiscard]] bool plain() const noexcept { return clip == std::numeric_limits<T>::infinity(); }
  [[nodiscard]] Lane<T> activated(std::size_t which, const Lane<T>& sum) const noexcept {
    if (plain()) return activations[which](sum);
    return activations[which](Lane<T>(sum.max(-clip).min(clip)));
  }
  void put(LaneMemory memory, std::size_t now, std::size_t unit,
           const Lane<T>& value) const noexcept {
    memory.at<T>(hidden + unit * each) = value;
    memory.at<T>(out + (now * out_stride + unit) * each) = value;
  }
};

/// Gates in the order i o f c.
template <class T>
class LstmKernel final : public Kernel {
 public:
  /// `peepholes` is [3 * units] for i o f, or empty.
  LstmKernel(RecurrentLayer<T> layer, Register cell, std::vector<T> peepholes, bool input_forget)
      : layer_(std::move(layer)),
        cell_(cell),
        peepholes_(std::move(peepholes)),
        input_forget_(input_forget),
        plain_(peepholes_.empty() && !input_forget && layer_.plain() &&
               layer_.activations[0].kind == Activation::Kind::Sigmoid &&
               layer_.activations[1].kind == Activation::Kind::Tanh &&
               layer_.activations[2].kind == Activation::Kind::Tanh) {}

  void run(LaneMemory memory) const noexcept override {
    const RecurrentLayer<T>& l = layer_;
    for (std::size_t done = 0; done < l.steps; ++done) {
      const std::size_t now = l.step(done);
      const std::size_t input = l.input_of(now);
      if (plain_) {
        plain_step(memory, now, input);
        continue;
      }
      for (std::size_t gate = 0; gate < 4 * l.units; ++gate) {
        memory.at<T>(l.scratch + gate * l.each) = l.sum(memory, gate, input);
      }
      for (std::size_t unit = 0; unit < l.units; ++unit) step(memory, now, unit);
    }
  }

 private:
  /// What nearly all LSTMs are, without asking at each gate.
  void plain_step(LaneMemory memory, std::size_t now, std::size_t input) const noexcept {
    const RecurrentLayer<T>& l = layer_;
    for (std::size_t gate = 0; gate < 3 * l.units; ++gate) {
      memory.at<T>(l.scratch + gate * l.each) = l.sum(memory, gate, input).logistic();
    }
    for (std::size_t gate = 3 * l.units; gate < 4 * l.units; ++gate) {
      memory.at<T>(l.scratch + gate * l.each) = l.sum(memory, gate, input).tanh();
    }
    for (std::size_t unit = 0; unit < l.units; ++unit) {
      const auto gate = [&](std::size_t which) {
        return memory.at<T>(l.scratch + (which * l.units + unit) * l.each);
      };
      auto cell = memory.at<T>(cell_ + unit * l.each);
      const Lane<T> next = gate(2) * cell + gate(0) * gate(3);
      cell = next;
      l.put(memory, now, unit, gate(1) * next.tanh());
    }
  }

  void step(LaneMemory memory, std::size_t now, std::size_t unit) const noexcept {
    const RecurrentLayer<T>& l = layer_;
    const auto gate = [&](std::size_t which) {
      return memory.at<T>(l.scratch + (which * l.units + unit) * l.each);
    };
    const auto peep = [&](std::size_t which, const Lane<T>& sum, const Lane<T>& cell) -> Lane<T> {
      if (peepholes_.empty()) return sum;
      return sum + peepholes_[which * l.units + unit] * cell;
    };
    auto cell = memory.at<T>(cell_ + unit * l.each);
    const Lane<T> last = cell;
    const Lane<T> in = l.activated(0, peep(0, gate(0), last));
    const Lane<T> forget =
        input_forget_ ? Lane<T>(T{1} - in) : l.activated(0, peep(2, gate(2), last));
    const Lane<T> next = forget * last + in * l.activated(1, gate(3));
    cell = next;
    const Lane<T> out = l.activated(0, peep(1, gate(1), next));
    l.put(memory, now, unit, out * l.activations[2](next));
  }

  RecurrentLayer<T> layer_;
  Register cell_;
  std::vector<T> peepholes_;
  bool input_forget_;
  bool plain_;
};

/// Gates in the order z r h.
template <class T>
class GruKernel final : public Kernel {
 public:
  /// `reset_bias` is [units], of the recurrent sum within the reset: only with
  /// `linear_before_reset`. Scratch holds 4 * units.
  GruKernel(RecurrentLayer<T> layer, bool linear_before_reset, std::vector<T> reset_bias)
      : layer_(std::move(layer)),
        linear_before_reset_(linear_before_reset),
        reset_bias_(std::move(reset_bias)) {}

  void run(LaneMemory memory) const noexcept override {
    const RecurrentLayer<T>& l = layer_;
    const auto scratch = [&](std::size_t which, std::size_t unit) {
      return memory.at<T>(l.scratch + (which * l.units + unit) * l.each);
    };
    for (std::size_t done = 0; done < l.steps; ++done) {
      const std::size_t now = l.step(done);
      const std::size_t input = l.input_of(now);
      for (std::size_t unit = 0; unit < l.units; ++unit) {
        scratch(0, unit) = l.activated(0, l.sum(memory, unit, input));
        const Lane<T> reset = l.activated(0, l.sum(memory, l.units + unit, input));
        scratch(1, unit) =
            linear_before_reset_ ? reset : Lane<T>(reset * memory.at<T>(l.hidden + unit * l.each));
      }
      for (std::size_t unit = 0; unit < l.units; ++unit) {
        const std::size_t gate = 2 * l.units + unit;
        Lane<T> sum = Lane<T>::Constant(l.bias[gate]);
        l.accumulate(memory, sum, l.row(gate), input, l.inputs);
        if (linear_before_reset_) {
          Lane<T> last = Lane<T>::Constant(reset_bias_[unit]);
          l.accumulate(memory, last, l.row(gate) + l.inputs, l.hidden, l.units);
          sum += scratch(1, unit) * last;
        } else {
          l.accumulate(memory, sum, l.row(gate) + l.inputs, l.scratch + l.units * l.each, l.units);
        }
        const Lane<T> candidate = l.activated(1, sum);
        const Lane<T> update = scratch(0, unit);
        scratch(2, unit) =
            (T{1} - update) * candidate + update * memory.at<T>(l.hidden + unit * l.each);
      }
      for (std::size_t unit = 0; unit < l.units; ++unit) {
        l.put(memory, now, unit, scratch(2, unit));
      }
    }
  }

 private:
  RecurrentLayer<T> layer_;
  bool linear_before_reset_;
  std::vector<T> reset_bias_;
};

template <class T>
class RnnKernel final : public Kernel {
 public:
  explicit RnnKernel(RecurrentLayer<T> layer) : layer_(std::move(layer)) {}

  void run(LaneMemory memory) const noexcept override {
    const RecurrentLayer<T>& l = layer_;
    for (std::size_t done = 0; done < l.steps; ++done) {
      const std::size_t now = l.step(done);
      for (std::size_t unit = 0; unit < l.units; ++unit) {
        memory.at<T>(l.scratch + unit * l.each) =
            l.activated(0, l.sum(memory, unit, l.input_of(now)));
      }
      for (std::size_t unit = 0; unit < l.units; ++unit) {
        l.put(memory, now, unit, memory.at<T>(l.scratch + unit * l.each));
      }
    }
  }

 private:
  RecurrentLayer<T> layer_;
};

}  // namespace kaspar::nodes
