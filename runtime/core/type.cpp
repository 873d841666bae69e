#include "runtime/core/type.hpp"

#include <array>

namespace kaspar {
namespace {

struct ScalarFacts {
  std::string_view name;
  std::size_t size;
};

// In the order of ScalarType.
constexpr std::array facts{
    ScalarFacts{"bool", 1},
    ScalarFacts{"i64", 8},
    ScalarFacts{"f32", 4},
    ScalarFacts{"f64", 8},
    ScalarFacts{"string", sizeof(std::string_view)},
    ScalarFacts{"bytes", sizeof(std::string_view)},
    ScalarFacts{"timestamp", 8},
    ScalarFacts{"duration", 8},
};

}  // namespace

std::size_t element_size(ScalarType scalar) noexcept {
  return facts[static_cast<std::size_t>(scalar)].size;
}

std::string_view to_string(ScalarType scalar) noexcept {
  return facts[static_cast<std::size_t>(scalar)].name;
}

std::string to_string(const Type& type) {
  std::string text{to_string(type.scalar)};
  if (type.is_vector()) text += "[" + std::to_string(type.width) + "]";
  if (type.optional) text += "?";
  return text;
}

std::optional<ScalarType> scalar_type_named(std::string_view name) noexcept {
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i].name == name) return static_cast<ScalarType>(i);
  }
  return std::nullopt;
}

}  // namespace kaspar
