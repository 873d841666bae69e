#include "runtime/core/diagnostic_code.hpp"

#include <array>

namespace kaspar {
namespace {

struct CodeText {
  std::string_view name;
  std::string_view title;
};

constexpr std::array texts{
#define KASPAR_DIAGNOSTIC(code, title) CodeText{#code, title},
#include "runtime/core/diagnostic_code.def"
#undef KASPAR_DIAGNOSTIC
};

}  // namespace

std::string_view name_of(DiagnosticCode code) noexcept {
  return texts[static_cast<std::size_t>(code)].name;
}

std::string_view title_of(DiagnosticCode code) noexcept {
  return texts[static_cast<std::size_t>(code)].title;
}

}  // namespace kaspar
