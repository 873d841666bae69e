#include "nodes/expression/operation_kernel.hpp"

#include <vector>

#include "nodes/expression/arithmetic.hpp"
#include "nodes/expression/data_movement.hpp"
#include "nodes/expression/function_kernel.hpp"

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

bool is_scalar_of(const Expression& expression, ScalarType type) {
  return expression.type.scalar == type && !expression.type.is_vector();
}

bool is_comparison(Kind kind) { return kind >= Kind::Equal && kind <= Kind::GreaterEqual; }

Kernel arithmetic(const Expression& expression) {
  for (const Expression& child : expression.children) {
    if (child.type.is_vector() ||
        element_size(child.type.scalar) != element_size(expression.type.scalar) ||
        child.type.is_float() != expression.type.is_float()) {
      return nullptr;
    }
  }
  return arithmetic_kernel(expression.kind, expression.type);
}

Kernel comparison(const Expression& expression) {
  const Expression& a = expression.children[0];
  const Expression& b = expression.children[1];
  if (a.type.is_vector() || !is_scalar_of(b, a.type.scalar) ||
      !is_scalar_of(expression, ScalarType::Bool)) {
    return nullptr;
  }
  return comparison_kernel(expression.kind, a.type.scalar);
}

}  // namespace

bool is_operation(const Expression& expression) {
  switch (expression.kind) {
    case Kind::Literal:
    case Kind::Column:
    case Kind::Meta:
    case Kind::Local:
    case Kind::Let:
    case Kind::And:
    case Kind::Or:
    case Kind::In:
    case Kind::Coalesce:
    case Kind::Case:
      return false;
    case Kind::Call:
      return expression.function == nullptr || expression.function->most_arguments <= 2;
    default:
      return true;
  }
}

bool keeps_value(const Type& from, const Type& to) {
  return from.width == to.width &&
         (from.scalar == to.scalar ||
          (from.scalar == ScalarType::String && to.scalar == ScalarType::Bytes));
}

Kernel operation_kernel(const Expression& expression) {
  const Kind kind = expression.kind;
  if (kind == Kind::Call) return call_kernel(expression);
  const bool unary = kind == Kind::Negate || kind == Kind::Not || kind == Kind::IsNull ||
                     kind == Kind::IsPresent || kind == Kind::Convert;
  if (expression.children.size() != (unary ? 1 : 2)) return nullptr;
  if (is_comparison(kind)) return comparison(expression);
  const Expression& a = expression.children[0];
  switch (kind) {
    case Kind::IsNull:
      return is_scalar_of(expression, ScalarType::Bool) ? is_null : nullptr;
    case Kind::IsPresent:
      return is_scalar_of(expression, ScalarType::Bool) ? is_present : nullptr;
    case Kind::Element:
      return a.type.is_vector() && is_scalar_of(expression, a.type.scalar) &&
                     is_scalar_of(expression.children[1], ScalarType::I64)
                 ? element_kernel(a.type.scalar)
                 : nullptr;
    case Kind::Convert:
      return keeps_value(a.type, expression.type) ? copy_kernel(expression.type)
                                                  : convert_kernel(a.type, expression.type);
    default:
      return arithmetic(expression);
  }
}

Kernel call_kernel(const Expression& call) {
  const FunctionDescriptor* const function = call.function;
  if (function == nullptr || function->kernel == nullptr ||
      call.children.size() < function->least_arguments ||
      call.children.size() > function->most_arguments) {
    return nullptr;
  }
  std::vector<Argument> arguments;
  arguments.reserve(call.children.size());
  for (const Expression& child : call.children) arguments.push_back({.type = child.type});
  const auto signature = function->resolve(arguments);
  if (!signature || signature->result != call.type) return nullptr;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (signature->parameters[i] != arguments[i].type) return nullptr;
  }
  return function->kernel->select(call);
}

}  // namespace kaspar::nodes::expression
