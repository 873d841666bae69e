// The kernels of every machine, and the twins of the others.
#include "nodes/csv/csv_number.hpp"
#include "nodes/csv/simd/number_kernels.hpp"
#if defined(__SSE2__)
#include "nodes/csv/simd/short_numbers_sse2.hpp"
#endif
#include "nodes/csv/simd/split.hpp"

namespace kaspar::nodes::csv {
namespace {

template <class T>
uint64_t read_one_by_one(const uint32_t* ends, const uint64_t* tails, size_t count,
                         T* values) noexcept {
  uint64_t refused = 0;
  for (size_t i = 0; i < count; ++i) {
    const std::uint32_t length = ends[i + 1] - ends[i] - 1;
    refused |= uint64_t{!number::read_tail(tails[i], length, values[i])} << i;
  }
  return refused;
}

#if defined(__SSE2__)
template <class T>
[[gnu::noinline]] uint64_t read_one_by_one_apart(const uint32_t* ends, const uint64_t* tails,
                                                 size_t count, T* values) noexcept {
  return read_one_by_one(ends, tails, count, values);
}

template <class T>
uint64_t read_numbers(const uint32_t* ends, const uint64_t* tails, size_t count,
                      T* values) noexcept {
  uint64_t refused = 0;
  size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    if (!read_four(ends + i, tails + i, values + i)) [[unlikely]] {
      refused |= read_one_by_one_apart(ends + i, tails + i, 4, values + i) << i;
    }
  }
  if (i == count) return refused;
  return refused | read_one_by_one_apart(ends + i, tails + i, count - i, values + i) << i;
}
#endif

}  // namespace

const NumberKernels plain_numbers{
    .split = split, .read_f32 = read_one_by_one<float>, .read_f64 = read_one_by_one<double>};

#if defined(__SSE2__)
const NumberKernels portable_numbers{
    .split = split, .read_f32 = read_numbers<float>, .read_f64 = read_numbers<double>};
#else
const NumberKernels portable_numbers = plain_numbers;
#endif

}  // namespace kaspar::nodes::csv
