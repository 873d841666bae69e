// Packed trees beside plain ones, and support vectors beside plain loops.
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "nodes/model/tree_kernels.hpp"
#include "nodes/model/vector_kernels_for_test.hpp"

using namespace kaspar;
using namespace kaspar::test;

namespace {

/// Trees of every kind of question that asks for an order, some of numbers that the rows hold.
struct RandomForest {
  Forest forest;
  std::vector<BranchNode<float>> nodes;

  RandomForest(std::mt19937& random, std::size_t columns, std::size_t targets,
               const std::vector<float>& values) {
    forest.targets = targets;
    forest.aggregate = random() % 2 == 0 ? Aggregate::Sum : Aggregate::Average;
    for (std::size_t i = 0; i < targets; ++i) forest.base.push_back(normal(random));
    for (int tree = 0; tree < 20; ++tree) {
      forest.roots.push_back(static_cast<std::uint32_t>(nodes.size()));
      grow(random, columns, values, 0);
    }
  }

 private:
  std::uint32_t grow(std::mt19937& random, std::size_t columns, const std::vector<float>& values,
                     int depth) {
    const auto at = static_cast<std::uint32_t>(nodes.size());
    nodes.emplace_back();
    if (random() % 8 < static_cast<unsigned>(depth)) {
      nodes[at].yes = static_cast<std::uint32_t>(forest.weights.size());
      for (std::uint32_t target = 0; target < forest.targets; ++target) {
        if (forest.targets == 1 || random() % 4 != 0)
          forest.weights.push_back({target, normal(random)});
      }
      nodes[at].no = static_cast<std::uint32_t>(forest.weights.size());
      return at;
    }
    nodes[at].branch = static_cast<Branch>(random() % 4);
    nodes[at].threshold =
        random() % 3 == 0 ? static_cast<float>(normal(random)) : values[random() % values.size()];
    if (nodes[at].threshold != nodes[at].threshold) nodes[at].threshold = 0;
    nodes[at].feature = static_cast<std::uint32_t>(random() % columns);
    nodes[at].missing_is_yes = random() % 2 == 0;
    const std::uint32_t yes = grow(random, columns, values, depth + 1);
    const std::uint32_t no = grow(random, columns, values, depth + 1);
    nodes[at].yes = yes;
    nodes[at].no = no;
    return at;
  }
  std::normal_distribution<double> normal;
};

}  // namespace

TEST_CASE("packed trees find the leaves of plain ones, to the last bit") {
  std::mt19937 random(31);
  constexpr std::size_t columns = 5;
  constexpr std::size_t rows = 2;
  for (int round = 0; round < 40; ++round) {
    const std::size_t targets = std::array<std::size_t, 4>{1, 2, 4, 6}[random() % 4];
    const RandomForest made(random, columns, targets, adversarial());
    const std::size_t out = rows * columns;
    const std::size_t scratch = out + rows * targets * registers_of<double>;
    const Registers registers(scratch + VectorForest::scratch_registers(targets), 32);
    const bool missing = round % 2 == 0;
    for (std::size_t i = 0; i < rows * columns * lanes; ++i) {
      const float value = adversarial()[random() % adversarial().size()];
      if (random() % 2 == 0 && (missing || value == value)) registers.at(0)[i] = value;
    }
    const auto packed =
        VectorForest::pack(made.forest, made.nodes, 0, columns, static_cast<Register>(out),
                           static_cast<Register>(scratch), rows);
    REQUIRE(packed != nullptr);
    const Registers expected(registers);
    TreeKernel<float>(made.forest, made.nodes, 0, columns, static_cast<Register>(out), rows)
        .run(expected.lanes_of(lanes));
    for_each_table([&](const KernelTable& table) {
      for (const std::size_t active : {std::size_t{1}, std::size_t{5}, lanes}) {
        const Registers own(registers);
        packed->run_on(table, own.lanes_of(active));
        for (std::size_t i = 0; i < rows * targets; ++i) {
          for (std::size_t lane = 0; lane < active; ++lane) {
            const std::size_t place = out + i * registers_of<double>;
            INFO("round " << round << " lane " << lane);
            CHECK(std::bit_cast<std::uint64_t>(own.doubles(place)[lane]) ==
                  std::bit_cast<std::uint64_t>(expected.doubles(place)[lane]));
          }
        }
      }
    });
  }
}

TEST_CASE("trees that packed ones cannot stand for are left as they are") {
  std::mt19937 random(33);
  RandomForest made(random, 3, 2, adversarial());
  const auto packs = [&] {
    return VectorForest::pack(made.forest, made.nodes, 0, 3, 3, 9, 1) != nullptr;
  };
  REQUIRE(packs());
  const RandomForest sound = made;
  made.forest.aggregate = Aggregate::Max;
  CHECK_FALSE(packs());
  made = sound;
  made.nodes[0].branch = Branch::Eq;
  CHECK_FALSE(packs());
  made = sound;
  made.nodes[0].threshold = not_a_number;
  CHECK_FALSE(packs());
  made = sound;
  for (Weight& weight : made.forest.weights) weight.target = 0;
  CHECK_FALSE(packs());
}

TEST_CASE("support vectors are as similar as plain loops find") {
  constexpr std::size_t columns = 7;
  constexpr std::size_t vectors = 11;
  std::mt19937 random(41);
  std::normal_distribution<double> normal;
  std::vector<double> support(vectors * columns);
  for (double& value : support) value = normal(random);
  const std::size_t out = columns * registers_of<double>;
  const std::size_t sums = out + vectors * registers_of<double>;
  const Registers registers(sums + registers_of<double>);
  for (std::size_t i = 0; i < columns * lanes; ++i) registers.doubles(0)[i] = normal(random);
  for (std::size_t i = 0; i < columns; ++i) registers.doubles(0)[i * lanes + 6] *= 1e3;
  registers.doubles(0)[7] = std::numeric_limits<double>::quiet_NaN();
  registers.doubles(0)[8] = std::numeric_limits<double>::infinity();
  for_each_table([&](const KernelTable& table) {
    constexpr std::size_t padded = 16;
    AlignedNumbers<double> by_column(columns * padded);
    for (std::size_t i = 0; i < support.size(); ++i) {
      by_column.data()[i % columns * padded + i / columns] = support[i];
    }
    const SupportVectors all{vectors, columns, support.data(), by_column.data(), padded, 0.3};
    for (const bool radial : {true, false}) {
      const Registers own(registers);
      for (std::size_t active = 1; active < lanes; ++active) {
        const Registers whole(registers);
        const Registers some(registers);
        (radial ? table.radial : table.dot)(all, whole.doubles(0), whole.doubles(out), lanes);
        (radial ? table.radial : table.dot)(all, some.doubles(0), some.doubles(out), active);
        std::size_t others = 0;
        for (std::size_t v = 0; v < vectors; ++v) {
          for (std::size_t lane = 0; lane < active; ++lane) {
            const double a = some.doubles(out)[v * lanes + lane];
            const double b = whole.doubles(out)[v * lanes + lane];
            others += a != b && (a == a || b == b);
          }
        }
        CHECK(others == 0);
      }
      (radial ? table.radial : table.dot)(all, own.doubles(0), own.doubles(out), lanes);
      std::fill_n(own.doubles(sums), lanes, 0.5);
      table.weighed_sum(support.data(), own.doubles(out), vectors, own.doubles(sums), lanes);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        double sum = 0.5;
        for (std::size_t v = 0; v < vectors; ++v) {
          double wanted = 0;
          for (std::size_t i = 0; i < columns; ++i) {
            const double x = own.doubles(0)[i * lanes + lane];
            const double s = support[v * columns + i];
            wanted += radial ? (x - s) * (x - s) : x * s;
          }
          if (radial) wanted = std::exp(-0.3 * wanted);
          CHECK(close(own.doubles(out)[v * lanes + lane], wanted, 1e-12));
          sum += support[v] * wanted;
        }
        CHECK(close(own.doubles(sums)[lane], sum, 1e-12));
      }
    }
  });
}
