#include "nodes/csv/number_kernels.hpp"

namespace kaspar::nodes::csv {

const NumberKernels* number_kernels_of(InstructionSet set) noexcept {
  if (set > best_instruction_set()) return nullptr;
  switch (set) {
#if defined(__x86_64__)
    case InstructionSet::Avx512:
      return &avx512_numbers;
    case InstructionSet::Avx2:
      return &avx2_numbers;
#endif
    default:
      return &portable_numbers;
  }
}

const NumberKernels& number_kernels() noexcept {
  static const NumberKernels& chosen = *number_kernels_of(instruction_set());
  return chosen;
}

}  // namespace kaspar::nodes::csv
