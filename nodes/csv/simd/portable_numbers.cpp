// The kernels of every machine, and the twins of the others.
#include "nodes/csv/csv_number.hpp"
#include "nodes/csv/simd/number_kernels.hpp"
#include "nodes/csv/simd/split.hpp"

namespace kaspar::nodes::csv {
namespace {

template <class T>
uint64_t read_numbers(const uint32_t* ends, const uint64_t* tails, size_t count,
                      T* values) noexcept {
  uint64_t refused = 0;
  for (size_t i = 0; i < count; ++i) {
    const std::uint32_t length = ends[i + 1] - ends[i] - 1;
    refused |= uint64_t{!number::read_tail(tails[i], length, values[i])} << i;
  }
  return refused;
}

}  // namespace

const NumberKernels portable_numbers{
    .split = split, .read_f32 = read_numbers<float>, .read_f64 = read_numbers<double>};

}  // namespace kaspar::nodes::csv
