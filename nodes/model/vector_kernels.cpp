#include "nodes/model/vector_kernels.hpp"

#include <algorithm>
#include <utility>

namespace kaspar::nodes {

const KernelTable* kernels_of(InstructionSet set) noexcept {
  if (set > best_instruction_set()) return nullptr;
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::Avx512:
      return &avx512_kernels;
    case InstructionSet::Avx2:
      return &avx2_kernels;
#endif
    default:
      return &portable_kernels;
  }
}

const KernelTable& kernels() noexcept {
  static const KernelTable& chosen = *kernels_of(instruction_set());
  return chosen;
}

bool is_in_a_row(const Tensor& tensor, Register first, std::size_t count) noexcept {
  if (tensor.element != Element::F32 || tensor.refs.size() != count) return false;
  for (const Register ref : tensor.refs) {
    if (ref != first++) return false;
  }
  return true;
}

namespace {

constexpr std::size_t padded(std::size_t count) { return (count + lanes - 1) / lanes * lanes; }
static_assert(dense_block == lanes);

}  // namespace

VectorProduct::VectorProduct(Register in, Register out, std::size_t rows, std::size_t depth,
                             const std::vector<float>& weights, const std::vector<float>& bias)
    : in_(in),
      out_(out),
      rows_(rows),
      depth_(depth),
      columns_(depth == 0 ? 0 : weights.size() / depth),
      weights_(depth * padded(columns_)),
      bias_(padded(columns_)),
      has_bias_(!bias.empty()) {
  std::ranges::copy(bias, bias_.data());
  for (std::size_t i = 0; i < depth; ++i) {
    for (std::size_t column = 0; column < columns_; ++column) {
      const std::size_t block = column / dense_block;
      weights_.data()[(block * depth + i) * dense_block + column % dense_block] =
          weights[i * columns_ + column];
    }
  }
}

bool VectorProduct::add_bias(const std::vector<float>& bias) {
  if (has_bias_ || rectified_ || bias.size() != columns_) return false;
  std::ranges::copy(bias, bias_.data());
  has_bias_ = true;
  return true;
}

void VectorProduct::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  const DenseProduct product{.rows = rows_,
                             .depth = depth_,
                             .columns = columns_,
                             .weights = weights_.data(),
                             .bias = bias_.data(),
                             .rectified = rectified_};
  table.product(product, memory.lanes_at<float>(in_), memory.lanes_at<float>(out_),
                memory.active());
}

VectorLayerNorm::VectorLayerNorm(Register in, Register out, std::size_t outer, float epsilon,
                                 std::vector<float> scale, std::vector<float> bias)
    : in_(in),
      out_(out),
      outer_(outer),
      epsilon_(epsilon),
      scale_(std::move(scale)),
      bias_(std::move(bias)) {}

void VectorLayerNorm::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  const LayerNorm norm{.outer = outer_,
                       .count = scale_.size(),
                       .epsilon = epsilon_,
                       .scale = scale_.data(),
                       .bias = bias_.empty() ? nullptr : bias_.data()};
  table.layer_norm(norm, memory.lanes_at<float>(in_), memory.lanes_at<float>(out_),
                   memory.active());
}

VectorConvolution::VectorConvolution(const ConvolutionLayout& layout, SlidingWindows windows,
                                     const std::vector<float>& weights,
                                     const std::vector<float>& bias)
    : layout_(layout),
      windows_(std::move(windows)),
      padded_(padded(layout.out_channels)),
      weights_(layout.groups * layout.in_channels * layout.kernel * padded_),
      bias_(layout.groups * padded_) {
  const std::size_t depth = layout.in_channels * layout.kernel;
  for (std::size_t m = 0; m < bias.size(); ++m) {
    const std::size_t group = m / layout.out_channels;
    const std::size_t channel = m % layout.out_channels;
    bias_.data()[group * padded_ + channel] = bias[m];
    for (std::size_t i = 0; i < depth; ++i) {
      weights_.data()[(group * depth + i) * padded_ + channel] = weights[m * depth + i];
    }
  }
}

void VectorConvolution::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  const Convolution convolution{.batch = layout_.batch,
                                .groups = layout_.groups,
                                .in_channels = layout_.in_channels,
                                .out_channels = layout_.out_channels,
                                .spatial = layout_.spatial,
                                .kernel = layout_.kernel,
                                .windows = windows_.count(),
                                .starts = windows_.starts.data(),
                                .taps = windows_.taps.data(),
                                .weights = weights_.data(),
                                .bias = bias_.data(),
                                .padded = padded_,
                                .rectified = rectified_};
  table.convolution(convolution, memory.lanes_at<float>(layout_.in),
                    memory.lanes_at<float>(layout_.out), memory.active());
}

void VectorMaxPool::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  const Pool pool{.channels = channels_,
                  .spatial = spatial_,
                  .windows = windows_.count(),
                  .starts = windows_.starts.data(),
                  .taps = windows_.taps.data()};
  table.max_pool(pool, memory.lanes_at<float>(in_), memory.lanes_at<float>(out_), memory.active());
}

namespace {

using Kind = Activation::Kind;

RecurrentShape shape_of(const RecurrentLayer<float>& layer) {
  return {.inputs = layer.inputs,
          .units = layer.units,
          .steps = layer.steps,
          .out_stride = layer.out_stride,
          .reverse = layer.reverse};
}

}  // namespace

bool is_usual_lstm(const RecurrentLayer<float>& layer) {
  return layer.plain() && layer.activations[0].kind == Kind::Sigmoid &&
         layer.activations[1].kind == Kind::Tanh && layer.activations[2].kind == Kind::Tanh;
}
bool is_usual_gru(const RecurrentLayer<float>& layer) {
  return layer.plain() && layer.activations[0].kind == Kind::Sigmoid &&
         layer.activations[1].kind == Kind::Tanh;
}
bool is_usual_rnn(const RecurrentLayer<float>& layer) {
  const Kind kind = layer.activations[0].kind;
  return layer.plain() && (kind == Kind::Tanh || kind == Kind::Relu);
}

std::size_t recurrent_scratch(std::size_t units) {
  return std::max(2 * units, 3 * padded(units) / lanes);
}

VectorLstm::VectorLstm(const RecurrentLayer<float>& layer, Register cell)
    : in_(layer.in),
      hidden_(layer.hidden),
      cell_(cell),
      out_(layer.out),
      scratch_(layer.scratch),
      layer_{.shape = shape_of(layer), .padded = padded(layer.units)} {
  constexpr std::size_t gates = 4;
  const std::size_t depth = layer.inputs + layer.units;
  by_unit_.resize(layer.units * (1 + depth) * gates);
  by_gate_ = AlignedNumbers<float>(layer_.padded * (1 + depth) * gates);
  for (std::size_t gate = 0; gate < gates; ++gate) {
    const float factor = gate == 3 ? 1.0F : 0.5F;
    for (std::size_t unit = 0; unit < layer.units; ++unit) {
      const std::size_t row = gate * layer.units + unit;
      for (std::size_t i = 0; i <= depth; ++i) {
        const float value = factor * (i == 0 ? layer.bias[row] : layer.row(row)[i - 1]);
        by_unit_[(unit * (1 + depth) + i) * gates + gate] = value;
        by_gate_.data()[(i * gates + gate) * layer_.padded + unit] = value;
      }
    }
  }
  layer_.by_unit = by_unit_.data();
  layer_.by_gate = by_gate_.data();
}

void VectorLstm::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  table.lstm(layer_,
             {.in = memory.lanes_at<float>(in_),
              .hidden = memory.lanes_at<float>(hidden_),
              .cell = memory.lanes_at<float>(cell_),
              .out = memory.lanes_at<float>(out_),
              .scratch = memory.lanes_at<float>(scratch_)},
             memory.active());
}

VectorGru::VectorGru(const RecurrentLayer<float>& layer, bool linear_before_reset,
                     const std::vector<float>& reset_bias)
    : in_(layer.in),
      hidden_(layer.hidden),
      out_(layer.out),
      scratch_(layer.scratch),
      layer_{
          .shape = shape_of(layer), .padded = padded(layer.units), .linear = linear_before_reset} {
  constexpr std::size_t gates = 3;
  const std::size_t depth = layer.inputs + layer.units;
  by_unit_.resize(layer.units * (2 + depth) * gates);
  by_gate_ = AlignedNumbers<float>(layer_.padded * (2 + depth) * gates);
  for (std::size_t unit = 0; unit < layer.units; ++unit) {
    float* const of_unit = by_unit_.data() + unit * (2 + depth) * gates;
    for (std::size_t gate = 0; gate < gates; ++gate) {
      const float factor = gate == 2 ? 1.0F : 0.5F;
      const std::size_t row = gate * layer.units + unit;
      of_unit[gate] = factor * layer.bias[row];
      for (std::size_t i = 0; i < depth; ++i) {
        of_unit[(2 + i) * gates + gate] = factor * layer.row(row)[i];
      }
    }
    if (linear_before_reset) of_unit[gates] = reset_bias[unit];
    for (std::size_t i = 0; i < (2 + depth) * gates; ++i) {
      by_gate_.data()[i * layer_.padded + unit] = of_unit[i];
    }
  }
  layer_.by_unit = by_unit_.data();
  layer_.by_gate = by_gate_.data();
}

void VectorGru::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  table.gru(layer_,
            {.in = memory.lanes_at<float>(in_),
             .hidden = memory.lanes_at<float>(hidden_),
             .cell = nullptr,
             .out = memory.lanes_at<float>(out_),
             .scratch = memory.lanes_at<float>(scratch_)},
            memory.active());
}

VectorRnn::VectorRnn(const RecurrentLayer<float>& layer)
    : in_(layer.in),
      hidden_(layer.hidden),
      out_(layer.out),
      layer_{.shape = shape_of(layer), .relu = layer.activations[0].kind == Kind::Relu} {
  const std::size_t depth = layer.inputs + layer.units;
  weights_.resize((1 + depth) * layer.units);
  for (std::size_t unit = 0; unit < layer.units; ++unit) {
    weights_[unit] = layer.bias[unit];
    for (std::size_t i = 0; i < depth; ++i) {
      weights_[(1 + i) * layer.units + unit] = layer.row(unit)[i];
    }
  }
  layer_.weights = weights_.data();
}

void VectorRnn::run_on(const KernelTable& table, LaneMemory memory) const noexcept {
  table.rnn(layer_,
            {.in = memory.lanes_at<float>(in_),
             .hidden = memory.lanes_at<float>(hidden_),
             .cell = nullptr,
             .out = memory.lanes_at<float>(out_),
             .scratch = nullptr},
            memory.active());
}

}  // namespace kaspar::nodes
