// Layers of networks beside their twins on Eigen.
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "nodes/model/vector_kernels_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

TEST_CASE("products are Eigen's") {
  using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  for (const auto& [rows, depth, columns] : {std::array<std::size_t, 3>{1, 1, 1},
                                             {1, 60, 6},
                                             {3, 7, 33},
                                             {5, 32, 16},
                                             {2, 130, 19},
                                             {6, 9, 150}}) {
    for (const auto& [with_bias, rectified] :
         {std::pair{false, false}, {true, false}, {true, true}}) {
      const auto weights = random_numbers(depth * columns, 3);
      const auto bias = random_numbers(columns, 4);
      const std::size_t in = 0;
      const std::size_t right = rows * depth;
      const std::size_t out = right + columns * depth;
      const Registers registers(out + rows * columns, 5);
      registers.at(in)[3] = not_a_number;  // of one lane only
      VectorProduct product(in, static_cast<Register>(out), rows, depth, weights,
                            with_bias ? bias : std::vector<float>{});
      if (rectified) product.rectify();
      const VectorComputedProduct computed(in, static_cast<Register>(right),
                                           static_cast<Register>(out), {rows, depth, columns});
      for_each_table([&](const KernelTable& table) {
        check_independence(product, table, registers, out, rows * columns);
        check_independence(computed, table, registers, out, rows * columns);
        for (const bool is_computed : {false, true}) {
          const Registers own(registers);
          (is_computed ? static_cast<const VectorKernel&>(computed) : product)
              .run_on(table, own.lanes_of(lanes));
          for (std::size_t lane = 0; lane < lanes; ++lane) {
            const auto taken = [&](std::size_t first, std::size_t r, std::size_t c) {
              Matrix matrix(r, c);
              for (std::size_t i = 0; i < r * c; ++i) matrix.data()[i] = own.at(first + i)[lane];
              return matrix;
            };
            Matrix wanted;
            if (is_computed) {
              wanted = taken(in, rows, depth) * taken(right, columns, depth).transpose();
            } else {
              wanted = taken(in, rows, depth) *
                       Eigen::Map<const Matrix>(weights.data(), static_cast<Eigen::Index>(depth),
                                                static_cast<Eigen::Index>(columns));
              if (with_bias) {
                wanted.rowwise() += Eigen::Map<const Eigen::RowVectorXf>(
                    bias.data(), static_cast<Eigen::Index>(columns));
              }
              if (rectified) wanted = (wanted.array() < 0).select(0, wanted);
            }
            const Matrix is = taken(out, rows, columns);
            for (Eigen::Index i = 0; i < is.size(); ++i) {
              INFO(rows << " " << depth << " " << columns << " lane " << lane);
              CHECK(close(static_cast<double>(is.data()[i]), static_cast<double>(wanted.data()[i]),
                          2e-5));
            }
          }
        }
      });
    }
  }
}

namespace {

/// A window of three over a signal, with a padding of one at both ends.
SlidingWindows windows_over(std::size_t spatial) {
  SlidingWindows windows{.out_dims = {static_cast<std::int64_t>(spatial)}, .starts = {0}};
  for (std::uint32_t w = 0; w < spatial; ++w) {
    for (std::uint32_t place = 0; place < 3; ++place) {
      if (w + place == 0 || w + place > spatial) continue;
      windows.taps.push_back({w + place - 1, place});
    }
    windows.starts.push_back(static_cast<std::uint32_t>(windows.taps.size()));
  }
  return windows;
}

}  // namespace

TEST_CASE("convolution and pools are those on Eigen") {
  constexpr std::size_t spatial = 19;
  for (const auto& [groups, in_channels, out_channels] :
       {std::array<std::size_t, 3>{1, 1, 8}, {2, 3, 5}, {1, 4, 29}}) {
    const std::size_t in = 2 * groups * in_channels * spatial;
    const std::size_t out = 2 * groups * out_channels * spatial;
    const Registers registers(in + out, 61);
    registers.at(2)[3] = not_a_number;
    registers.at(3)[4] = infinity;
    const ConvolutionLayout layout{.in = 0,
                                   .out = static_cast<Register>(in),
                                   .batch = 2,
                                   .groups = groups,
                                   .in_channels = in_channels,
                                   .out_channels = out_channels,
                                   .spatial = spatial,
                                   .kernel = 3};
    const auto weights = random_numbers(groups * out_channels * in_channels * 3, 62);
    const auto bias = random_numbers(groups * out_channels, 63);
    VectorConvolution convolution(layout, windows_over(spatial), weights, bias);
    const bool rectified = groups == 2;
    if (rectified) convolution.rectify();
    const VectorMaxPool pool(0, static_cast<Register>(in), 2 * groups * in_channels, spatial,
                             windows_over(spatial));
    const Registers convolved(registers);
    ConvolutionKernel<float>(layout, windows_over(spatial), weights, bias)
        .run(convolved.lanes_of(lanes));
    const std::size_t pooled_size = std::min(in, out);
    const Registers pooled(registers);
    if (in <= out) {
      MaxPoolKernel<float>(0, static_cast<Register>(in), 2 * groups * in_channels, spatial,
                           windows_over(spatial))
          .run(pooled.lanes_of(lanes));
    }
    for_each_table([&](const KernelTable& table) {
      check_independence(convolution, table, registers, in, out);
      const Registers own(registers);
      convolution.run_on(table, own.lanes_of(lanes));
      for (std::size_t i = 0; i < out * lanes; ++i) {
        const float sum = convolved.at(in)[i];
        CHECK(close(static_cast<double>(own.at(in)[i]),
                    static_cast<double>(rectified && sum < 0 ? 0 : sum), 1e-5));
      }
      if (in > out) return;
      check_independence(pool, table, registers, in, pooled_size);
      pool.run_on(table, own.lanes_of(lanes));
      for (std::size_t i = 0; i < pooled_size * lanes; ++i) {
        CHECK(same_bits(own.at(in)[i], pooled.at(in)[i]));
      }
    });
  }
}

namespace {

RecurrentLayer<float> layer_of(std::size_t gates, std::size_t inputs, std::size_t units,
                               bool reverse, std::vector<Activation> activations) {
  RecurrentLayer<float> layer;
  layer.steps = 9;
  layer.inputs = inputs;
  layer.units = units;
  layer.out_stride = units;
  layer.reverse = reverse;
  layer.weights = random_numbers(gates * units * (inputs + units), 21, 0.5F);
  layer.bias = random_numbers(gates * units, 22, 0.5F);
  layer.activations = std::move(activations);
  layer.in = 1;
  layer.hidden = static_cast<Register>(layer.in + layer.steps * inputs);
  layer.out = static_cast<Register>(layer.hidden + 2 * units);  // the cells between
  layer.scratch = static_cast<Register>(layer.out + layer.steps * units);
  return layer;
}

/// `fast` beside `plain`: all outputs and the state that is left.
void check_recurrent(const RecurrentLayer<float>& layer, const Kernel& plain,
                     const VectorKernel& fast, bool cells) {
  const std::size_t scratch = std::max(4 * layer.units, recurrent_scratch(layer.units));
  const Registers registers(layer.scratch + scratch, 23);
  for (std::size_t i = 0; i < layer.steps * layer.inputs; ++i) {
    registers.at(layer.in + i)[2] *= 30;     // saturates
    registers.at(layer.in + i)[3] *= 1e30F;  // more so
    registers.at(layer.in + i)[4] *= 1e-30F;
  }
  registers.at(layer.in)[11] = not_a_number;
  const Registers expected(registers);
  plain.run(expected.lanes_of(lanes));
  const std::size_t states = (cells ? 2 : 1) * layer.units;
  for_each_table([&](const KernelTable& table) {
    const Registers own(registers);
    fast.run_on(table, own.lanes_of(lanes));
    double worst = 0;
    for (const auto& [first, count] : {std::pair<std::size_t, std::size_t>{layer.hidden, states},
                                       {layer.out, layer.steps * layer.units}}) {
      for (std::size_t i = first; i < first + count; ++i) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          const auto wanted = static_cast<double>(expected.at(i)[lane]);
          const auto is = static_cast<double>(own.at(i)[lane]);
          if (std::isnan(wanted)) {
            CHECK(std::isnan(is));
            continue;
          }
          // Sums of large numbers are told apart by how they are rounded.
          const double weight = lane == 2 || lane == 3 ? 0.1 : 1.0;
          worst = std::max(worst, weight * std::abs(is - wanted) / std::max(1.0, std::abs(wanted)));
        }
      }
      check_independence(fast, table, registers, first, count);
    }
    CHECK(worst <= 5e-6);
  });
}

constexpr Activation sigmoid{Activation::Kind::Sigmoid};
constexpr Activation hyperbolic{Activation::Kind::Tanh};
constexpr Activation rectified{Activation::Kind::Relu};

}  // namespace

TEST_CASE("recurrent layers are those on Eigen, each record by itself") {
  for (const auto& [inputs, units] :
       {std::pair<std::size_t, std::size_t>{1, 10}, {3, 1}, {5, 17}}) {
    for (const bool reverse : {false, true}) {
      INFO(inputs << " inputs, " << units << " units, reverse " << reverse);
      const auto lstm = layer_of(4, inputs, units, reverse, {sigmoid, hyperbolic, hyperbolic});
      const auto cell = static_cast<Register>(lstm.hidden + units);
      REQUIRE(is_usual_lstm(lstm));
      check_recurrent(lstm, LstmKernel<float>(lstm, cell, {}, false), VectorLstm(lstm, cell), true);
      const auto gru = layer_of(3, inputs, units, reverse, {sigmoid, hyperbolic});
      REQUIRE(is_usual_gru(gru));
      for (const bool linear : {false, true}) {
        const auto bias = random_numbers(linear ? units : 0, 24);
        check_recurrent(gru, GruKernel<float>(gru, linear, bias), VectorGru(gru, linear, bias),
                        false);
      }
      for (const Activation& activation : {hyperbolic, rectified}) {
        auto rnn = layer_of(1, inputs, units, reverse, {activation});
        if (activation.kind == Activation::Kind::Relu) {
          for (float& weight : rnn.weights) weight *= 0.3F;  // or it grows without end
        }
        REQUIRE(is_usual_rnn(rnn));
        check_recurrent(rnn, RnnKernel<float>(rnn), VectorRnn(rnn), false);
      }
    }
  }
}
