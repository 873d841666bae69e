// Which machine instructions the hot loops use.
//
// Such a loop is compiled once for each set, and chosen when the program starts: by what the
// processor has, or less if the environment variable KASPAR_ISA asks for less, so that tests
// and measurements reach every path on one machine.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace kaspar {

/// Each includes those before it.
enum class InstructionSet : std::uint8_t {
  Portable,  // what the compiler takes for granted: SSE2 on x86-64, NEON on arm64
  Avx2,      // with FMA
  Avx512,    // F, BW, DQ and VL
};

/// "portable", "avx2", "avx512"
[[nodiscard]] std::string_view name_of(InstructionSet set) noexcept;
/// The best one that this processor has.
[[nodiscard]] InstructionSet best_instruction_set() noexcept;
/// The one that KASPAR_ISA names, the best if it is not set; an error says why that one cannot be.
[[nodiscard]] std::expected<InstructionSet, std::string> wanted_instruction_set();
/// What `wanted_instruction_set` said when it was first asked for; the best after an error, which
/// `main` has reported by then.
[[nodiscard]] InstructionSet instruction_set() noexcept;

}  // namespace kaspar
