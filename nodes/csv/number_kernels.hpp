// Which of the kernels that are compiled for each instruction set is run.
#pragma once

#include "nodes/csv/simd/number_kernels.hpp"
#include "runtime/core/instruction_set.hpp"

namespace kaspar::nodes::csv {

/// Null where this processor has not that set. On one that is not x86-64 all are the portable ones.
[[nodiscard]] const NumberKernels* number_kernels_of(InstructionSet set) noexcept;
/// Those of `instruction_set()`.
[[nodiscard]] const NumberKernels& number_kernels() noexcept;

}  // namespace kaspar::nodes::csv
