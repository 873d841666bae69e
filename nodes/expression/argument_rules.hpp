// What functions demand of their arguments, and how they say so.
#pragma once

#include <expected>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "runtime/core/function_descriptor.hpp"

namespace kaspar::nodes::expression {

/// The types of a call, or what is wrong with it, at Operand `index`.
using Resolution = std::expected<Signature, Issue>;

/// K0302: argument `index` is not what `name` takes (`f32` or `f64`, say).
[[nodiscard]] Issue wrong_argument(std::string_view name, std::string_view takes,
                                   std::span<const Argument> arguments, std::size_t index,
                                   std::string help = {});
/// K0301 where argument `index` may be null.
[[nodiscard]] std::expected<void, Issue> not_null(std::string_view name,
                                                  std::span<const Argument> arguments,
                                                  std::size_t index);

/// Whether the argument is a scalar of that type; a literal may adapt to it.
[[nodiscard]] bool is_a(const Argument& argument, ScalarType type);

/// Text arguments, all of them: each is converted to `string`.
[[nodiscard]] Resolution text_arguments(std::string_view name, std::span<const Argument> arguments,
                                        ScalarType result);
/// Numbers that are f32, f64 or literals; the result is of their type.
[[nodiscard]] Resolution float_arguments(std::string_view name, std::span<const Argument> arguments,
                                         std::string_view help);
/// Arguments of one type of numbers, text, times or durations; the result is of that type.
[[nodiscard]] Resolution ordered_arguments(std::string_view name,
                                           std::span<const Argument> arguments);

}  // namespace kaspar::nodes::expression
