// Compiled once for each instruction set with wide vectors, which names the table:
// KASPAR_KERNEL_TABLE.
#include "nodes/csv/simd/short_numbers.hpp"
#include "nodes/csv/simd/split.hpp"

namespace kaspar::nodes::csv {

const NumberKernels KASPAR_KERNEL_TABLE{.split = split, .read_f32 = read_f32, .read_f64 = read_f64};

}  // namespace kaspar::nodes::csv
