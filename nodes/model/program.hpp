// A model ready to run: a flat list of kernels over registers.
//
// Every record is computed as the model would compute a batch of one; `lanes` records run side by
// side. A register holds one element of a tensor for all lanes, so the answer for a record cannot
// depend on its neighbours, and a transpose or reshape is only another order of registers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

namespace kaspar::nodes {

inline constexpr std::size_t lanes = 16;
using Register = std::uint32_t;

enum class Unary : std::uint8_t { Abs, Erf, Exp, Log, Neg, Relu, Sigmoid, Sqrt, Tanh, Truncate };
enum class Arithmetic : std::uint8_t { Add, Sub, Mul, Div, Pow, Max, Min };
enum class Reduction : std::uint8_t { Sum, Mean, Max, Min };

/// out[i] = from[i]
struct MoveStep {
  Register out;
  std::vector<Register> from;
};
struct UnaryStep {
  Unary function;
  Register in, out;
  std::size_t count;
};
/// out[i] = left[i] op right[i]
struct ArithmeticStep {
  Arithmetic op;
  Register out;
  std::vector<Register> left, right;
};
/// [rows, depth] · [depth, columns], the right one constant and stored by columns.
struct MatMulStep {
  Register in, out;
  std::size_t rows, depth, columns;
  std::vector<float> weights;  // [columns, depth]
};
/// Over the middle axis of [outer, count, inner].
struct SoftmaxStep {
  Register in, out;
  std::size_t outer, count, inner;
  bool logarithm;
};
/// out[i] = all of from[i * count] .. from[i * count + count - 1] in one
struct ReduceStep {
  Reduction function;
  Register out;
  std::vector<Register> from;
  std::size_t count;
};
struct ArgMaxStep {
  Register in, out;
  std::size_t outer, count, inner;
  bool last;  // of equal ones
};
/// One direction of ONNX's LSTM: gates in the order i o f c, sigmoid and tanh.
struct LstmStep {
  Register in;             // [steps, inputs]
  Register hidden;         // [units], initial; replaced by the last
  Register cell;           // [units], initial; replaced by the last
  Register gates;          // [4 units], scratch
  Register out;            // first step's first unit
  std::size_t out_stride;  // registers from one step to the next
  std::size_t steps, inputs, units;
  bool reverse;
  std::vector<float> weights;  // [4 units, inputs + units]
  std::vector<float> bias;     // [4 units]
};
using Step = std::variant<MoveStep, UnaryStep, ArithmeticStep, MatMulStep, SoftmaxStep, ReduceStep,
                          ArgMaxStep, LstmStep>;

struct ProgramOutput {
  std::string name;
  bool integer = false;
  Register first = 0;
  std::size_t width = 0;
};

struct Program {
  std::vector<Step> steps;
  std::vector<std::pair<Register, float>> constants;  // set once, never written by a step
  std::size_t registers = 0;
  std::vector<Register> inputs;  // first register of each, row-major from there
  std::vector<std::size_t> input_widths;
  std::vector<ProgramOutput> outputs;
  std::vector<std::string> remarks;

  /// Floats that a thread needs to run it.
  [[nodiscard]] std::size_t memory_floats() const noexcept { return registers * lanes; }
  /// Fills in the constants, once for each memory.
  void prepare(std::span<float> memory) const noexcept;
  /// Runs `lanes` records: inputs are in memory, register by register; outputs are left there.
  void run(std::span<float> memory) const noexcept;
};

}  // namespace kaspar::nodes
