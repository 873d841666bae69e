#include "nodes/model/program.hpp"

#include <Eigen/Core>
#include <algorithm>
#include <cmath>

namespace kaspar::nodes {
namespace {

using Lane = Eigen::Array<float, static_cast<int>(lanes), 1>;
using LaneMap = Eigen::Map<Lane, Eigen::Aligned64>;

class Machine {
 public:
  explicit Machine(float* memory) : memory_(memory) {}

  void operator()(const MoveStep& step) const {
    for (std::size_t i = 0; i < step.from.size(); ++i) at(step.out + i) = at(step.from[i]);
  }

  void operator()(const UnaryStep& step) const {
    for (std::size_t i = 0; i < step.count; ++i) {
      const LaneMap in = at(step.in + i);
      LaneMap out = at(step.out + i);
      switch (step.function) {
        case Unary::Abs:
          out = in.abs();
          break;
        case Unary::Erf:
          for (Eigen::Index lane = 0; lane < out.size(); ++lane) out[lane] = std::erf(in[lane]);
          break;
        case Unary::Exp:
          out = in.exp();
          break;
        case Unary::Log:
          out = in.log();
          break;
        case Unary::Neg:
          out = -in;
          break;
        case Unary::Relu:
          out = (in < 0.0F).select(0.0F, in);
          break;
        case Unary::Sigmoid:
          out = in.logistic();
          break;
        case Unary::Sqrt:
          out = in.sqrt();
          break;
        case Unary::Tanh:
          out = in.tanh();
          break;
        case Unary::Truncate:
          out = (in < 0.0F).select(in.ceil(), in.floor());
          break;
      }
    }
  }

  void operator()(const ArithmeticStep& step) const {
    for (std::size_t i = 0; i < step.left.size(); ++i) {
      const LaneMap left = at(step.left[i]);
      const LaneMap right = at(step.right[i]);
      LaneMap out = at(step.out + i);
      switch (step.op) {
        case Arithmetic::Add:
          out = left + right;
          break;
        case Arithmetic::Sub:
          out = left - right;
          break;
        case Arithmetic::Mul:
          out = left * right;
          break;
        case Arithmetic::Div:
          out = left / right;
          break;
        case Arithmetic::Pow:
          for (Eigen::Index lane = 0; lane < out.size(); ++lane) {
            out[lane] = std::pow(left[lane], right[lane]);
          }
          break;
        case Arithmetic::Max:
          out = larger(left, right);
          break;
        case Arithmetic::Min:
          out = smaller(left, right);
          break;
      }
    }
  }

  void operator()(const MatMulStep& step) const {
    for (std::size_t row = 0; row < step.rows; ++row) {
      const Register in = static_cast<Register>(step.in + row * step.depth);
      for (std::size_t column = 0; column < step.columns; ++column) {
        Lane sum = Lane::Zero();
        accumulate(sum, step.weights.data() + column * step.depth, in, step.depth);
        at(step.out + row * step.columns + column) = sum;
      }
    }
  }

  void operator()(const SoftmaxStep& step) const {
    for (std::size_t outer = 0; outer < step.outer; ++outer) {
      for (std::size_t inner = 0; inner < step.inner; ++inner) {
        const std::size_t base = outer * step.count * step.inner + inner;
        Lane largest = at(step.in + base);
        for (std::size_t i = 1; i < step.count; ++i) {
          largest = largest.max(at(step.in + base + i * step.inner));
        }
        Lane sum = Lane::Zero();
        for (std::size_t i = 0; i < step.count; ++i) {
          const std::size_t place = base + i * step.inner;
          const Lane power = (at(step.in + place) - largest).exp();
          sum += power;
          if (!step.logarithm) at(step.out + place) = power;
        }
        const Lane log_sum = largest + sum.log();
        for (std::size_t i = 0; i < step.count; ++i) {
          const std::size_t place = base + i * step.inner;
          if (step.logarithm) {
            at(step.out + place) = at(step.in + place) - log_sum;
          } else {
            at(step.out + place) /= sum;
          }
        }
      }
    }
  }

  void operator()(const ReduceStep& step) const {
    for (std::size_t i = 0; i * step.count < step.from.size(); ++i) {
      const Register* from = step.from.data() + i * step.count;
      Lane all = at(from[0]);
      for (std::size_t k = 1; k < step.count; ++k) {
        const LaneMap next = at(from[k]);
        switch (step.function) {
          case Reduction::Sum:
          case Reduction::Mean:
            all += next;
            break;
          case Reduction::Max:
            all = larger(all, next);
            break;
          case Reduction::Min:
            all = smaller(all, next);
            break;
        }
      }
      if (step.function == Reduction::Mean) all /= static_cast<float>(step.count);
      at(step.out + i) = all;
    }
  }

  void operator()(const ArgMaxStep& step) const {
    for (std::size_t outer = 0; outer < step.outer; ++outer) {
      for (std::size_t inner = 0; inner < step.inner; ++inner) {
        const std::size_t base = outer * step.count * step.inner + inner;
        Lane largest = at(step.in + base);
        Lane place = Lane::Zero();
        for (std::size_t i = 1; i < step.count; ++i) {
          const LaneMap value = at(step.in + base + i * step.inner);
          for (Eigen::Index lane = 0; lane < value.size(); ++lane) {
            if (value[lane] > largest[lane] || (step.last && value[lane] == largest[lane])) {
              largest[lane] = value[lane];
              place[lane] = static_cast<float>(i);
            }
          }
        }
        at(step.out + outer * step.inner + inner) = place;
      }
    }
  }

  void operator()(const LstmStep& step) const {
    const std::size_t row_width = step.inputs + step.units;
    for (std::size_t done = 0; done < step.steps; ++done) {
      const std::size_t now = step.reverse ? step.steps - 1 - done : done;
      const Register in = static_cast<Register>(step.in + now * step.inputs);
      for (std::size_t gate = 0; gate < 4 * step.units; ++gate) {
        const float* weights = step.weights.data() + gate * row_width;
        Lane sum = Lane::Constant(step.bias[gate]);
        accumulate(sum, weights, in, step.inputs);
        accumulate(sum, weights + step.inputs, step.hidden, step.units);
        if (gate < 3 * step.units) {
          at(step.gates + gate) = sum.logistic();
        } else {
          at(step.gates + gate) = sum.tanh();
        }
      }
      for (std::size_t unit = 0; unit < step.units; ++unit) {
        const LaneMap input_gate = at(step.gates + unit);
        const LaneMap output_gate = at(step.gates + step.units + unit);
        const LaneMap forget_gate = at(step.gates + 2 * step.units + unit);
        const LaneMap candidate = at(step.gates + 3 * step.units + unit);
        LaneMap cell = at(step.cell + unit);
        const Lane next = forget_gate * cell + input_gate * candidate;
        const Lane hidden = output_gate * next.tanh();
        cell = next;
        at(step.hidden + unit) = hidden;
        at(step.out + now * step.out_stride + unit) = hidden;
      }
    }
  }

 private:
  [[nodiscard]] LaneMap at(std::size_t index) const { return LaneMap(memory_ + index * lanes); }

  void accumulate(Lane& sum, const float* weights, Register in, std::size_t count) const {
    for (std::size_t i = 0; i < count; ++i) sum += weights[i] * at(in + i);
  }

  // NaN wins, as in ONNX.
  static Lane larger(const Lane& a, const Lane& b) { return (b > a || b != b).select(b, a); }
  static Lane smaller(const Lane& a, const Lane& b) { return (b < a || b != b).select(b, a); }

  float* memory_;
};

}  // namespace

void Program::prepare(std::span<float> memory) const noexcept {
  for (const auto& [index, value] : constants) {
    std::fill_n(memory.data() + index * lanes, lanes, value);
  }
}

void Program::run(std::span<float> memory) const noexcept {
  const Machine machine(memory.data());
  for (const Step& step : steps) std::visit(machine, step);
}

}  // namespace kaspar::nodes
