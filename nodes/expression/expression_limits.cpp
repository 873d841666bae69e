#include "nodes/expression/expression_limits.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

/// How many children an expression of this kind has: at least, at most.
std::pair<std::size_t, std::size_t> arity(Kind kind) {
  switch (kind) {
    case Kind::Literal:
    case Kind::Column:
    case Kind::Meta:
    case Kind::Local:
      return {0, 0};
    case Kind::Let:
    case Kind::In:
    case Kind::Case:
      return {1, SIZE_MAX};
    case Kind::Call:
      return {0, SIZE_MAX};
    case Kind::Negate:
    case Kind::Not:
    case Kind::IsNull:
    case Kind::IsPresent:
    case Kind::Convert:
      return {1, 1};
    default:
      return {2, 2};
  }
}

Issue too_large() {
  std::string message = fmt::format(
      "an expression has at most {} parts, nested {} deep, counting those of the functions it "
      "calls",
      max_nodes, max_depth);
  return {.code = DiagnosticCode::K0101,
          .message = std::move(message),
          .help = "compute parts of it in columns of their own, by `derive`"};
}

}  // namespace

std::optional<Issue> find_fault(const Expression& expression) {
  struct Pending {
    const Expression* expression;
    std::size_t depth;
  };
  std::vector<Pending> pending{{&expression, 1}};
  std::size_t nodes = 0;
  while (!pending.empty()) {
    const auto [at, depth] = pending.back();
    pending.pop_back();
    const auto [least, most] = arity(at->kind);
    if (at->children.size() < least || at->children.size() > most) return malformed(*at);
    if (++nodes > max_nodes || depth > max_depth) return too_large();
    for (const Expression& child : at->children) {
      if (at->kind == Kind::In && child.kind == Kind::Literal) continue;
      pending.push_back({&child, depth + 1});
    }
  }
  return std::nullopt;
}

Issue malformed(const Expression& expression) {
  std::string message =
      fmt::format("`{}` cannot be computed as `{}`", expression.text, to_string(expression.type));
  return {.code = DiagnosticCode::K0302, .message = std::move(message)};
}

}  // namespace kaspar::nodes::expression
