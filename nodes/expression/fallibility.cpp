#include "nodes/expression/fallibility.hpp"

#include <algorithm>
#include <vector>

#include "nodes/expression/constant.hpp"
#include "nodes/expression/function_kernel.hpp"

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

bool is_whole(const Type& type) {
  return type.scalar == ScalarType::I64 || type.scalar == ScalarType::Timestamp ||
         type.scalar == ScalarType::Duration;
}

const std::int64_t* literal_integer(const Expression& expression) {
  return expression.kind == Kind::Literal ? expression.literal.get<std::int64_t>() : nullptr;
}

/// Of this node alone.
bool can_fail_itself(const Expression& expression) {
  switch (expression.kind) {
    case Kind::Negate:
    case Kind::Add:
    case Kind::Subtract:
    case Kind::Multiply:
      return is_whole(expression.type);
    case Kind::Divide:
    case Kind::Remainder: {
      const auto* const divisor = literal_integer(expression.children[1]);
      const bool safe = divisor != nullptr && *divisor != 0 &&
                        (expression.kind == Kind::Remainder || *divisor != -1);
      return is_whole(expression.type) && !safe;
    }
    case Kind::Convert:
      return expression.children[0].type.scalar == ScalarType::Bytes &&
             expression.type.scalar == ScalarType::String;
    case Kind::Element: {
      const auto* const index = literal_integer(expression.children[1]);
      return index == nullptr || *index < 0 ||
             *index >= std::int64_t{expression.children[0].type.width};
    }
    case Kind::Call: {
      const FunctionKernel* const kernel = expression.function->kernel;
      return kernel->can_fail != nullptr && kernel->can_fail(expression);
    }
    case Kind::Meta:
      return expression.meta == MetaField::Timestamp && !expression.type.optional;
    default:
      return false;
  }
}

struct Facts {
  bool constant = true;
  bool fallible = false;  // of a constant: it may be
};

Facts facts_of(const Expression& expression) {
  const bool leaf = expression.kind == Kind::Column || expression.kind == Kind::Meta ||
                    expression.kind == Kind::Local || expression.kind == Kind::Let;
  Facts facts{.constant = !leaf};
  std::vector<const Expression*> doubtful;  // constants that fail or not for every row
  for (const Expression& child : expression.children) {
    const Facts of_child = facts_of(child);
    facts.constant = facts.constant && of_child.constant;
    if (!of_child.fallible) continue;
    if (of_child.constant) {
      doubtful.push_back(&child);
    } else {
      facts.fallible = true;
    }
  }
  facts.fallible = facts.fallible || can_fail_itself(expression);
  if (facts.constant) {
    facts.fallible = facts.fallible || !doubtful.empty();
  } else if (!facts.fallible) {  // each constant is computed once, as a whole
    facts.fallible = std::ranges::any_of(
        doubtful, [](const Expression* child) { return !evaluate_constant(*child); });
  }
  return facts;
}

}  // namespace

bool is_fallible(const Expression& expression) {
  const Facts facts = facts_of(expression);
  return facts.fallible && !(facts.constant && evaluate_constant(expression));
}

}  // namespace kaspar::nodes::expression
