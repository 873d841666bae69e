// The codes that name every problem kaspar can report, in a file and in a row.
#pragma once

#include <cstdint>
#include <string_view>

namespace kaspar {

enum class DiagnosticCode : std::uint16_t {
#define KASPAR_DIAGNOSTIC(code, title) code,
#include "runtime/core/diagnostic_code.def"
#undef KASPAR_DIAGNOSTIC
};

/// "K0101". Points to static storage.
[[nodiscard]] std::string_view name_of(DiagnosticCode code) noexcept;

/// What the code stands for: "unexpected token". Points to static storage.
[[nodiscard]] std::string_view title_of(DiagnosticCode code) noexcept;

}  // namespace kaspar
