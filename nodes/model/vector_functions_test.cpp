// Functions of all lanes beside the standard library, and rows on their way into lanes.
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "nodes/model/vector_kernels_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

struct NamedMap {
  MapFunction function;
  double (*exact)(double);
};

const std::array<NamedMap, map_functions> maps{{
    {MapFunction::Abs, [](double x) { return std::fabs(x); }},
    {MapFunction::Erf, [](double x) { return std::erf(x); }},
    {MapFunction::Exp,
     [](double x) { return static_cast<double>(std::exp(static_cast<float>(x))); }},
    {MapFunction::Neg, [](double x) { return -x; }},
    {MapFunction::Reciprocal,
     [](double x) { return static_cast<double>(1.0F / static_cast<float>(x)); }},
    {MapFunction::Relu, [](double x) { return x < 0 ? 0 : x; }},
    {MapFunction::Sigmoid, [](double x) { return 1 / (1 + std::exp(-x)); }},
    {MapFunction::Sqrt, [](double x) { return std::sqrt(x); }},
    {MapFunction::Tanh, [](double x) { return std::tanh(x); }},
}};

}  // namespace

TEST_CASE("functions of all lanes agree with the standard library's") {
  std::vector<float> inputs = adversarial();
  for (const float scale : {0.01F, 1.0F, 5.0F, 40.0F}) {
    const auto more = random_numbers(4000, 7, scale);
    inputs.insert(inputs.end(), more.begin(), more.end());
  }
  REQUIRE(inputs.size() > 16'000);
  inputs.resize((inputs.size() + lanes - 1) / lanes * lanes);
  const std::size_t count = inputs.size() / lanes;
  for_each_table([&](const KernelTable& table) {
    for (const NamedMap& map : maps) {
      const Registers registers(2 * count);
      std::copy(inputs.begin(), inputs.end(), registers.at(0));
      table.map[static_cast<std::size_t>(map.function)](
          registers.at(0), {nullptr, 0, 1}, {nullptr, static_cast<std::uint32_t>(count), 1}, count,
          lanes);
      std::vector<float> in_a_row(registers.at(count), registers.at(2 * count));
      table.map[static_cast<std::size_t>(map.function)](
          registers.at(0), {nullptr, 0, 1}, {nullptr, static_cast<std::uint32_t>(count), 1}, count,
          lanes - 1);
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (i % lanes != lanes - 1 && !same_bits(registers.at(count)[i], in_a_row[i])) FAIL();
      }
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto x = static_cast<double>(inputs[i]);
        INFO("function " << static_cast<int>(map.function) << " of " << x << " is "
                         << registers.at(count)[i]);
        if (!close(static_cast<double>(registers.at(count)[i]), map.exact(x), 1e-6)) FAIL();
      }
    }
  });
}

TEST_CASE("small results of exp and of the logistic function keep their digits") {
  for_each_table([](const KernelTable& table) {
    const Registers registers(4);
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      registers.at(0)[lane] = -5.1F * static_cast<float>(lane + 1);
    }
    for (const auto function : {MapFunction::Exp, MapFunction::Sigmoid}) {
      table.map[static_cast<std::size_t>(function)](registers.at(0), {nullptr, 0, 1},
                                                    {nullptr, 1, 1}, 1, lanes);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        const auto x = static_cast<double>(registers.at(0)[lane]);
        const double exact = function == MapFunction::Exp ? std::exp(x) : 1 / (1 + std::exp(-x));
        CHECK(std::abs(static_cast<double>(registers.at(1)[lane]) - exact) <= 3e-7 * exact);
      }
    }
  });
}

TEST_CASE("arithmetic of all lanes is that of single numbers, to the last bit") {
  using Function = float (*)(float, float);
  const std::array<Function, combine_functions> exact{
      [](float a, float b) { return a + b; },
      [](float a, float b) { return a - b; },
      [](float a, float b) { return a * b; },
      [](float a, float b) { return a / b; },
      [](float a, float b) { return b > a || b != b ? b : a; },
      [](float a, float b) { return b < a || b != b ? b : a; }};
  const std::vector<float>& all = adversarial();
  REQUIRE(all.size() > 2 * lanes);
  const std::size_t count = all.size();  // each with each, some 16 at a time
  for_each_table([&](const KernelTable& table) {
    const Registers registers(3 * count);
    for (std::size_t shift = 0; shift < count; shift += lanes / 2) {
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          registers.at(i)[lane] = all[i];
          registers.at(count + i)[lane] = all[(shift + lane) % count];
        }
      }
      for (std::size_t f = 0; f < combine_functions; ++f) {
        std::vector<std::uint32_t> left(count);
        for (std::size_t i = 0; i < count; ++i) left[i] = static_cast<std::uint32_t>(count - 1 - i);
        // In a row, as most are; then backwards from a list, as transposed ones are.
        const auto second = static_cast<std::uint32_t>(count);
        table.combine[f](registers.at(0), {nullptr, 0, 1}, {nullptr, second, 1},
                         {nullptr, 2 * second, 1}, count, lanes);
        for (std::size_t i = 0; i < count * lanes; ++i) {
          const float wanted = exact[f](registers.at(0)[i], registers.at(count)[i]);
          if (!same_bits(registers.at(2 * count)[i], wanted)) FAIL();
        }
        table.combine[f](registers.at(0), {left.data(), 0, 0},
                         {nullptr, static_cast<std::uint32_t>(count), 1},
                         {nullptr, static_cast<std::uint32_t>(2 * count), 1}, count, lanes);
        for (std::size_t i = 0; i < count; ++i) {
          for (std::size_t lane = 0; lane < lanes; ++lane) {
            const float a = registers.at(count - 1 - i)[lane];
            const float b = registers.at(count + i)[lane];
            INFO("function " << f << " of " << a << " and " << b);
            if (!same_bits(registers.at(2 * count + i)[lane], exact[f](a, b))) FAIL();
          }
        }
      }
    }
  });
}

TEST_CASE("softmax and layer normalization are Eigen's, lane by lane") {
  constexpr std::size_t outer = 3;
  constexpr std::size_t count = 7;
  constexpr std::size_t inner = 2;
  constexpr std::size_t size = outer * count * inner;
  const Registers registers(2 * size);
  for (std::size_t i = 0; i < size; ++i) registers.at(i)[5] *= 1e4F;
  registers.at(4)[9] = not_a_number;
  const auto scale = random_numbers(count, 11);
  const auto bias = random_numbers(count, 12);
  const VectorSoftmax softmax(0, size, {outer, count, inner});
  const VectorLayerNorm norm(0, size, outer * inner, 1e-5F, scale, bias);
  for_each_table([&](const KernelTable& table) {
    check_independence(softmax, table, registers, size, size);
    check_independence(norm, table, registers, size, size);
    const Registers own(registers);
    softmax.run_on(table, own.lanes_of(lanes));
    for (std::size_t at = 0; at < outer * inner; ++at) {
      const std::size_t base = at / inner * count * inner + at % inner;
      Lane<double> sum = Lane<double>::Zero();
      std::array<Lane<double>, count> x;
      for (std::size_t i = 0; i < count; ++i) {
        x[i] = own.lanes_of(lanes).at<float>(base + i * inner).cast<double>();
      }
      Lane<double> largest = x[0];
      for (const auto& one : x) largest = largest.max(one);
      for (const auto& one : x) sum += (one - largest).exp();
      for (std::size_t i = 0; i < count; ++i) {
        const Lane<double> wanted = (x[i] - largest).exp() / sum;
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          if (lane == 9 && base == 0) continue;  // NaN: below
          const auto place = static_cast<Eigen::Index>(lane);
          CHECK(close(static_cast<double>(own.at(size + base + i * inner)[lane]), wanted[place],
                      1e-6));
        }
      }
    }
    CHECK(std::isnan(own.at(size)[9]));
    norm.run_on(table, own.lanes_of(lanes));
    for (std::size_t row = 0; row < outer * inner; ++row) {
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (lane == 9 && row == 0) continue;
        Eigen::Array<double, count, 1> x;
        for (std::size_t i = 0; i < count; ++i) {
          x[static_cast<Eigen::Index>(i)] = static_cast<double>(own.at(row * count + i)[lane]);
        }
        const double mean = x.mean();
        const double deviation = std::sqrt((x - mean).square().mean() + 1e-5);
        for (std::size_t i = 0; i < count; ++i) {
          const double wanted =
              (x[static_cast<Eigen::Index>(i)] - mean) / deviation * static_cast<double>(scale[i]) +
              static_cast<double>(bias[i]);
          CHECK(close(static_cast<double>(own.at(size + row * count + i)[lane]), wanted, 5e-6));
        }
      }
    }
  });
}

TEST_CASE("rows come to lanes, and what is not finite is noticed wherever it stands") {
  for_each_table([](const KernelTable& table) {
    for (const std::size_t columns : {std::size_t{1}, std::size_t{6}, std::size_t{61}}) {
      for (std::size_t count = 1; count <= lanes; ++count) {
        const Registers registers(columns);
        auto values = random_numbers(count * columns, 51);
        values[0] = huge;
        std::array<const float*, lanes> rows{};
        for (std::size_t row = 0; row < count; ++row) rows[row] = values.data() + row * columns;
        CHECK(table.into_lanes(rows.data(), count, columns, registers.at(0)));
        std::size_t others = 0;
        for (std::size_t row = 0; row < count; ++row) {
          for (std::size_t column = 0; column < columns; ++column) {
            others += !same_bits(registers.at(column)[row], values[row * columns + column]);
          }
        }
        CHECK(others == 0);
        for (const float odd : {not_a_number, infinity, -infinity}) {
          const std::size_t place = (count * 7 + columns) % values.size();
          const float was = values[place];
          values[place] = odd;
          CHECK_FALSE(table.into_lanes(rows.data(), count, columns, registers.at(0)));
          values[place] = was;
        }
      }
    }
  });
}

TEST_CASE("the place of the largest is that of comparing one by one") {
  std::mt19937 random(61);
  for_each_table([&](const KernelTable& table) {
    for (const std::size_t count :
         {std::size_t{1}, std::size_t{2}, std::size_t{6}, std::size_t{40}}) {
      for (int round = 0; round < 50; ++round) {
        const Registers registers(count);
        for (std::size_t i = 0; i < count; ++i) {
          for (std::size_t lane = 0; lane < lanes; ++lane) {
            const auto kind = random() % 20;
            const float some = static_cast<float>(random() % 5) - 2;  // many are equal
            registers.at(i)[lane] = kind == 0   ? not_a_number
                                    : kind == 1 ? infinity
                                    : kind == 2 ? -infinity
                                    : kind == 3 ? -0.0F
                                                : some;
          }
        }
        alignas(register_bytes) std::array<std::int32_t, lanes> places{};
        table.argmax(registers.at(0), count, places.data());
        for (std::size_t lane = 0; lane < lanes; ++lane) {
          std::size_t wanted = 0;
          for (std::size_t i = 1; i < count; ++i) {
            if (registers.at(i)[lane] > registers.at(wanted)[lane]) wanted = i;
          }
          REQUIRE(places[lane] == static_cast<std::int32_t>(wanted));
        }
      }
    }
  });
}
