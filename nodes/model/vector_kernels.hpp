// Kernels of programs that run on the vectors of whatever instruction set the machine has; the
// functions behind them are in simd/.
//
// All are of f32. What they compute is what the kernels on Eigen compute: their twins, which other
// types and rarer variants use, and which tests compare them with.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "nodes/model/convolution_kernels.hpp"
#include "nodes/model/elements.hpp"
#include "nodes/model/program.hpp"
#include "nodes/model/recurrent_kernels.hpp"
#include "nodes/model/simd/kernel_table.hpp"
#include "runtime/core/instruction_set.hpp"

namespace kaspar::nodes {

/// Null if they are not compiled for this machine.
[[nodiscard]] const KernelTable* kernels_of(InstructionSet set) noexcept;
/// Those of `instruction_set()`.
[[nodiscard]] const KernelTable& kernels() noexcept;

/// So many numbers, zeros at first, that begin where a register may.
template <class T>
class AlignedNumbers {
 public:
  AlignedNumbers() = default;
  explicit AlignedNumbers(std::size_t count) : lines_((count + in_line - 1) / in_line) {}
  [[nodiscard]] T* data() noexcept { return reinterpret_cast<T*>(lines_.data()); }
  [[nodiscard]] const T* data() const noexcept { return reinterpret_cast<const T*>(lines_.data()); }

 private:
  static constexpr std::size_t in_line = register_bytes / sizeof(T);
  struct alignas(register_bytes) Line {
    T numbers[in_line] = {};
  };
  std::vector<Line> lines_;
};

/// Whether a tensor of f32 is so many registers in a row from `first`.
[[nodiscard]] bool is_in_a_row(const Tensor& tensor, Register first, std::size_t count) noexcept;

class VectorKernel : public Kernel {
 public:
  void run(LaneMemory memory) const noexcept final { run_on(kernels(), memory); }
  virtual void run_on(const KernelTable& table, LaneMemory memory) const noexcept = 0;
};

/// out [rows, columns] = in [rows, depth] · weights [depth, columns] + bias [columns]
class VectorProduct final : public VectorKernel {
 public:
  /// No bias if it is empty.
  VectorProduct(Register in, Register out, std::size_t rows, std::size_t depth,
                const std::vector<float>& weights, const std::vector<float>& bias);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

  // Until it is shared it may be told to compute what follows, too.
  [[nodiscard]] bool writes(const Tensor& tensor) const noexcept {
    return is_in_a_row(tensor, out_, rows_ * columns_);
  }
  /// False if it has one, or something else before it.
  [[nodiscard]] bool add_bias(const std::vector<float>& bias);
  void rectify() noexcept { rectified_ = true; }

 private:
  Register in_, out_;
  std::size_t rows_, depth_, columns_;
  AlignedNumbers<float> weights_, bias_;
  bool has_bias_;
  bool rectified_ = false;
};

/// out [rows, columns] = left [rows, depth] · (right [columns, depth]) transposed
class VectorComputedProduct final : public VectorKernel {
 public:
  VectorComputedProduct(Register left, Register right, Register out,
                        const ComputedProductShape& shape)
      : left_(left), right_(right), out_(out), shape_(shape) {}
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override {
    table.computed_product(shape_, memory.lanes_at<float>(left_), memory.lanes_at<float>(right_),
                           memory.lanes_at<float>(out_), memory.active());
  }

 private:
  Register left_, right_, out_;
  ComputedProductShape shape_;
};

class VectorMap final : public VectorKernel {
 public:
  VectorMap(MapFunction function, const Tensor& in, const Tensor& out)
      : function_(function), in_(in.refs), out_(out.refs) {}
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override {
    table.map[static_cast<std::size_t>(function_)](memory.lanes_at<std::byte>(0), in_.places(),
                                                   out_.places(), out_.size(), memory.active());
  }

 private:
  MapFunction function_;
  Elements in_, out_;
};

class VectorCombine final : public VectorKernel {
 public:
  VectorCombine(CombineFunction function, const Tensor& left, const Tensor& right,
                const Tensor& out)
      : function_(function), left_(left.refs), right_(right.refs), out_(out.refs) {}
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override {
    table.combine[static_cast<std::size_t>(function_)](memory.lanes_at<std::byte>(0),
                                                       left_.places(), right_.places(),
                                                       out_.places(), out_.size(), memory.active());
  }

 private:
  CombineFunction function_;
  Elements left_, right_, out_;
};

/// As ConvolutionKernel.
class VectorConvolution final : public VectorKernel {
 public:
  VectorConvolution(const ConvolutionLayout& layout, SlidingWindows windows,
                    const std::vector<float>& weights, const std::vector<float>& bias);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

  // As those of VectorProduct.
  [[nodiscard]] bool writes(const Tensor& tensor) const noexcept {
    return is_in_a_row(tensor, layout_.out,
                       layout_.batch * layout_.groups * layout_.out_channels * windows_.count());
  }
  void rectify() noexcept { rectified_ = true; }

 private:
  ConvolutionLayout layout_;
  SlidingWindows windows_;
  std::size_t padded_;
  AlignedNumbers<float> weights_, bias_;
  bool rectified_ = false;
};

/// As MaxPoolKernel.
class VectorMaxPool final : public VectorKernel {
 public:
  VectorMaxPool(Register in, Register out, std::size_t channels, std::size_t spatial,
                SlidingWindows windows)
      : in_(in), out_(out), channels_(channels), spatial_(spatial), windows_(std::move(windows)) {}
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  Register in_, out_;
  std::size_t channels_, spatial_;
  SlidingWindows windows_;
};

class VectorSoftmax final : public VectorKernel {
 public:
  VectorSoftmax(Register in, Register out, const SoftmaxShape& shape)
      : in_(in), out_(out), shape_(shape) {}
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override {
    table.softmax(shape_, memory.lanes_at<float>(in_), memory.lanes_at<float>(out_),
                  memory.active());
  }

 private:
  Register in_, out_;
  SoftmaxShape shape_;
};

class VectorLayerNorm final : public VectorKernel {
 public:
  /// No bias if it is empty.
  VectorLayerNorm(Register in, Register out, std::size_t outer, float epsilon,
                  std::vector<float> scale, std::vector<float> bias);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  Register in_, out_;
  std::size_t outer_;
  float epsilon_;
  std::vector<float> scale_, bias_;
};

/// Whether the kernels below serve a layer: no clip, and the activations that nearly all have.
[[nodiscard]] bool is_usual_lstm(const RecurrentLayer<float>& layer);
[[nodiscard]] bool is_usual_gru(const RecurrentLayer<float>& layer);
[[nodiscard]] bool is_usual_rnn(const RecurrentLayer<float>& layer);
/// How many registers of scratch they need.
[[nodiscard]] std::size_t recurrent_scratch(std::size_t units);

class VectorLstm final : public VectorKernel {
 public:
  /// A layer that is usual, without peepholes.
  VectorLstm(const RecurrentLayer<float>& layer, Register cell);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  Register in_, hidden_, cell_, out_, scratch_;
  std::vector<float> by_unit_;
  AlignedNumbers<float> by_gate_;
  LstmLayer layer_;
};

class VectorGru final : public VectorKernel {
 public:
  /// As GruKernel has them.
  VectorGru(const RecurrentLayer<float>& layer, bool linear_before_reset,
            const std::vector<float>& reset_bias);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  Register in_, hidden_, out_, scratch_;
  std::vector<float> by_unit_;
  AlignedNumbers<float> by_gate_;
  GruLayer layer_;
};

class VectorRnn final : public VectorKernel {
 public:
  explicit VectorRnn(const RecurrentLayer<float>& layer);
  void run_on(const KernelTable& table, LaneMemory memory) const noexcept override;

 private:
  Register in_, hidden_, out_;
  std::vector<float> weights_;
  RnnLayer layer_;
};

}  // namespace kaspar::nodes
