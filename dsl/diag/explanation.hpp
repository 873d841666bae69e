// The long text of each code, of explanations/Knnnn.md.
#pragma once

#include <string_view>

#include "runtime/core/diagnostic_code.hpp"

namespace kaspar::dsl {

/// Markdown: what the code means, an example, why it matters, the way out. The examples are fenced
/// as `pipe wrong`, `pipe right` and `pipe test`, and are tested. Static storage.
[[nodiscard]] std::string_view explanation_of(DiagnosticCode code) noexcept;

}  // namespace kaspar::dsl
