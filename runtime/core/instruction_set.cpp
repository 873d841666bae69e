#include "runtime/core/instruction_set.hpp"

#include <fmt/core.h>

#include <cstdlib>

namespace kaspar {

std::string_view name_of(InstructionSet set) noexcept {
  switch (set) {
    case InstructionSet::Portable:
      return "portable";
    case InstructionSet::Avx2:
      return "avx2";
    case InstructionSet::Avx512:
      return "avx512";
  }
  return "";
}

InstructionSet best_instruction_set() noexcept {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    const bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return wide ? InstructionSet::Avx512 : InstructionSet::Avx2;
  }
#endif
  return InstructionSet::Portable;
}

std::expected<InstructionSet, std::string> wanted_instruction_set() {
  const char* const wanted = std::getenv("KASPAR_ISA");
  const InstructionSet best = best_instruction_set();
  if (wanted == nullptr || *wanted == '\0') return best;
  for (const auto set : {InstructionSet::Portable, InstructionSet::Avx2, InstructionSet::Avx512}) {
    if (wanted != name_of(set)) continue;
    if (set <= best) return set;
    return std::unexpected(fmt::format(
        "KASPAR_ISA is `{}`, which this processor has not: at most `{}`", wanted, name_of(best)));
  }
  return std::unexpected(
      fmt::format("KASPAR_ISA is `{}`; it may be `portable`, `avx2` or `avx512`", wanted));
}

InstructionSet instruction_set() noexcept {
  static const InstructionSet set = wanted_instruction_set().value_or(best_instruction_set());
  return set;
}

}  // namespace kaspar
