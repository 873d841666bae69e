// The functions of expressions.
#pragma once

#include <vector>

#include "runtime/core/function_descriptor.hpp"

namespace kaspar::nodes::expression {

/// abs min max floor ceil round sqrt log exp pow
[[nodiscard]] std::vector<FunctionDescriptor> number_functions();
/// len lower upper trim contains starts_with ends_with
[[nodiscard]] std::vector<FunctionDescriptor> text_functions();
/// to_string to_i64 to_f64
[[nodiscard]] std::vector<FunctionDescriptor> conversion_functions();
/// is_finite bucket hour day_of_week
[[nodiscard]] std::vector<FunctionDescriptor> property_functions();

}  // namespace kaspar::nodes::expression
