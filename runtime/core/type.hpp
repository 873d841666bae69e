// The types of the language and how their values lie in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kaspar {

enum class ScalarType : std::uint8_t { Bool, I64, F32, F64, String, Bytes, Timestamp, Duration };

/// `f32`, `i64?`, `f32[60]` … A vector has a width of at least 1; a scalar has width 0.
struct Type {
  ScalarType scalar = ScalarType::F32;
  std::uint32_t width = 0;
  bool optional = false;

  [[nodiscard]] bool is_vector() const noexcept { return width != 0; }
  /// Elements that one row holds: 1 for a scalar.
  [[nodiscard]] std::size_t elements() const noexcept { return width == 0 ? 1 : width; }
  [[nodiscard]] bool is_float() const noexcept {
    return scalar == ScalarType::F32 || scalar == ScalarType::F64;
  }
  /// bool, i64, f32, f64: what a tensor can be filled from.
  [[nodiscard]] bool is_numeric() const noexcept {
    return is_float() || scalar == ScalarType::I64 || scalar == ScalarType::Bool;
  }
  [[nodiscard]] bool is_text() const noexcept {
    return scalar == ScalarType::String || scalar == ScalarType::Bytes;
  }
  friend bool operator==(const Type&, const Type&) = default;
};

/// Bytes of one element in a column: bool 1, f32 4, i64 f64 timestamp duration 8,
/// string bytes 16 (a std::string_view).
[[nodiscard]] std::size_t element_size(ScalarType scalar) noexcept;

/// As the language spells it: "f32[60]?".
[[nodiscard]] std::string to_string(const Type& type);
[[nodiscard]] std::string_view to_string(ScalarType scalar) noexcept;

/// The scalar type with this name in the language, if there is one.
[[nodiscard]] std::optional<ScalarType> scalar_type_named(std::string_view name) noexcept;

}  // namespace kaspar
