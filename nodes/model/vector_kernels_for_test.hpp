// What the tests of the kernels of each instruction set share: every set that this machine has,
// registers full of random numbers, and numbers that are easily computed wrong.
#pragma once

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "nodes/model/vector_kernels.hpp"
#include "runtime/core/instruction_set.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::test {

using namespace kaspar::nodes;

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float not_a_number = std::numeric_limits<float>::quiet_NaN();
inline constexpr float least = std::numeric_limits<float>::denorm_min();
inline constexpr float huge = std::numeric_limits<float>::max();

/// Calls `with(table)` for each.
template <class With>
void for_each_table(With with) {
  for (const auto set : {InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512}) {
    const KernelTable* table = kernels_of(set);
    if (table == nullptr) continue;
    INFO("instruction set " << std::string(name_of(set)));
    with(*table);
  }
}

/// Registers with random numbers in them.
class Registers {
 public:
  explicit Registers(std::size_t count, unsigned seed = 1) : count_(count), memory_(count) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < count * lanes; ++i) at(0)[i] = normal(random);
  }
  Registers(const Registers& other) : count_(other.count_), memory_(other.count_) {
    std::memcpy(at(0), other.at(0), count_ * register_bytes);
  }
  [[nodiscard]] float* at(std::size_t first) const {
    return memory_.lanes().lanes_at<float>(first);
  }
  [[nodiscard]] double* doubles(std::size_t first) const {
    return memory_.lanes().lanes_at<double>(first);
  }
  [[nodiscard]] LaneMemory lanes_of(std::size_t active) const { return memory_.lanes(active); }

 private:
  std::size_t count_;
  ProgramMemory memory_;
};

inline std::vector<float> random_numbers(std::size_t count, unsigned seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> made(count);
  for (float& value : made) value = normal(random) * scale;
  return made;
}

inline bool same_bits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (a != a && b != b);
}

/// Whether the numbers agree within the tolerance, relative above 1; infinities and NaN are equal.
inline bool close(double is, double wanted, double tolerance) {
  if (std::isnan(wanted)) return std::isnan(is);
  if (std::isinf(wanted)) return is == wanted;
  return std::abs(is - wanted) <= tolerance * std::max(1.0, std::abs(wanted));
}

inline const std::vector<float>& adversarial() {
  static const std::vector<float> all{
      0,        -0.0F,     least,        -least,        1e-38F,   -1e-38F, 1e-20F,
      -1e-20F,  1e-7F,     -1e-7F,       0.5F,          -0.5F,    1,       -1,
      3.99F,    4.01F,     -4,           7.9F,          7.91F,    -7.9F,   8,
      -8,       20,        -20,          87.3F,         -87.3F,   88.72F,  88.73F,
      -88.73F,  89,        -103,         -103.9F,       -104,     -105,    1e3F,
      -1e3F,    1e10F,     -1e10F,       1e30F,         -1e30F,   huge,    -huge,
      infinity, -infinity, not_a_number, -not_a_number, 3.14159F, 0.25F};
  return all;
}

/// Runs a kernel with all lanes, then with fewer: those must hold the very same, whatever the
/// others hold.
inline void check_independence(const VectorKernel& kernel, const KernelTable& table,
                               const Registers& before, std::size_t first, std::size_t count) {
  const Registers whole(before);
  kernel.run_on(table, whole.lanes_of(lanes));
  for (std::size_t active = 1; active < lanes; ++active) {
    const Registers some(before);
    kernel.run_on(table, some.lanes_of(active));
    std::size_t others = 0;
    for (std::size_t i = first; i < first + count; ++i) {
      for (std::size_t lane = 0; lane < active; ++lane) {
        others += !same_bits(some.at(i)[lane], whole.at(i)[lane]);
      }
    }
    INFO(active << " lanes");
    CHECK(others == 0);
  }
}

}  // namespace kaspar::test
