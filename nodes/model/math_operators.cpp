// Operators on numbers one by one, and the choice between them.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "nodes/model/elementwise.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/vector_kernels.hpp"

namespace kaspar::nodes {
namespace {

void cast(NodeLowering& node) {
  static const std::map<std::int64_t, Element> types{
      {1, Element::F32},  {2, Element::I64},  {3, Element::I64},  {4, Element::I64},
      {5, Element::I64},  {6, Element::I64},  {7, Element::I64},  {8, Element::String},
      {9, Element::Bool}, {11, Element::F64}, {12, Element::I64},
  };
  const auto to = types.find(node.integer("to", 0));
  if (to == types.end()) {
    node.unsupported(fmt::format("to the data type {}", node.integer("to", 0)));
  }
  node.charge(node.in(0).size());
  node.define(0, cast_to(node, node.in(0), to->second));
}

void cast_like(NodeLowering& node) {
  node.charge(node.in(0).size());
  node.define(0, cast_to(node, node.in(0), node.in(1).element));
}

void unary(NodeLowering& node) {
  static const std::map<std::string_view, Unary> functions{
      {"Abs", Unary::Abs},     {"Ceil", Unary::Ceil},
      {"Erf", Unary::Erf},     {"Exp", Unary::Exp},
      {"Floor", Unary::Floor}, {"Log", Unary::Log},
      {"Neg", Unary::Neg},     {"Not", Unary::Not},
      {"Round", Unary::Round}, {"Reciprocal", Unary::Reciprocal},
      {"Sign", Unary::Sign},   {"Sqrt", Unary::Sqrt},
  };
  node.define(0, apply_unary(node, functions.at(node.op()), node.in(0)));
}

/// The bias of a product that was just computed, as most exporters write it: it begins with it.
bool adds_bias(NodeLowering& node, std::size_t to, std::size_t bias) {
  const Tensor& row = node.in(bias);
  const Tensor& sums = node.in(to);
  if (!row.known() || row.element != Element::F32 || sums.dims.empty()) return false;
  const bool fits = !row.dims.empty() && row.dims.back() == sums.dims.back() &&
                    row.size() == static_cast<std::size_t>(sums.dims.back()) &&
                    node.broadcast(sums.dims, row.dims) == sums.dims;
  auto* const product = fits ? node.sole_source<VectorProduct>(to) : nullptr;
  if (product == nullptr || !product->add_bias(row.floats())) return false;
  node.define(0, sums);
  return true;
}

void binary(NodeLowering& node) {
  static const std::map<std::string_view, Binary> functions{
      {"Add", Binary::Add},         {"And", Binary::And},
      {"Div", Binary::Div},         {"Equal", Binary::Equal},
      {"Greater", Binary::Greater}, {"GreaterOrEqual", Binary::GreaterOrEqual},
      {"Less", Binary::Less},       {"LessOrEqual", Binary::LessOrEqual},
      {"Mul", Binary::Mul},         {"Or", Binary::Or},
      {"Sub", Binary::Sub},         {"Xor", Binary::Xor},
  };
  if (node.op() == "Add" && (adds_bias(node, 0, 1) || adds_bias(node, 1, 0))) return;
  Tensor right = node.in(1);
  if (node.opset() < 7 && node.integer("broadcast", 0) != 0) {
    node.unsupported("with `broadcast`, of operators before version 7");
  }
  node.define(0, combine(node, functions.at(node.op()), node.in(0), right));
}

/// Max, Min, Sum and Mean, of as many operands as there are.
void several(NodeLowering& node) {
  static const std::map<std::string_view, Binary> functions{
      {"Max", Binary::Max}, {"Mean", Binary::Add}, {"Min", Binary::Min}, {"Sum", Binary::Add}};
  Tensor out = node.in(0);
  node.charge(out.size());
  for (std::size_t i = 1; i < node.input_count(); ++i) {
    out = combine(node, functions.at(node.op()), out, node.in(i));
  }
  if (node.op() == "Mean") {
    out = combine(node, Binary::Div, out, scalar(out, static_cast<double>(node.input_count())));
  }
  node.define(0, std::move(out));
}

void mod(NodeLowering& node) {
  const bool as_c = node.integer("fmod", 0) != 0;
  node.define(0, combine(node, as_c ? Binary::FMod : Binary::Mod, node.in(0), node.in(1)));
}

/// The result has the base's type.
void power(NodeLowering& node) {
  const Tensor& base = node.in(0);
  Tensor exponent = node.in(1);
  node.charge(exponent.known() ? 2 * exponent.size() : 0);
  const Tensor real = exponent.known() ? converted(exponent, Element::F64) : Tensor{};
  const bool square = real.known() && is_float(base.element) &&
                      std::ranges::all_of(real.values<double>(), [](double e) { return e == 2; }) &&
                      node.broadcast(base.dims, exponent.dims) == base.dims;
  if (square) return node.define(0, combine(node, Binary::Mul, base, base));
  if (base.integer() && is_float(exponent.element)) {
    const Tensor raised =
        combine(node, Binary::Pow, cast_to(node, base, exponent.element), exponent);
    return node.define(0, cast_to(node, raised, Element::I64));
  }
  node.define(0, combine(node, Binary::Pow, base, cast_to(node, exponent, base.element)));
}

void where(NodeLowering& node) { node.define(0, choose(node, node.in(0), node.in(1), node.in(2))); }

void is_nan(NodeLowering& node) {
  const Tensor& x = node.floats_in(0);
  node.define(0, apply_unary(node, Unary::Not, combine(node, Binary::Equal, x, x)));
}

}  // namespace

std::span<const NamedOperator> math_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Abs", unary},
      {"Add", binary},
      {"And", binary},
      {"Cast", cast},
      {"CastLike", cast_like},
      {"Ceil", unary},
      {"Div", binary},
      {"Equal", binary},
      {"Erf", unary},
      {"Exp", unary},
      {"Floor", unary},
      {"Greater", binary},
      {"GreaterOrEqual", binary},
      {"IsNaN", is_nan},
      {"Less", binary},
      {"LessOrEqual", binary},
      {"Log", unary},
      {"Max", several},
      {"Mean", several},
      {"Min", several},
      {"Mod", mod},
      {"Mul", binary},
      {"Neg", unary},
      {"Not", unary},
      {"Or", binary},
      {"Pow", power},
      {"Reciprocal", unary},
      {"Round", unary},
      {"Sign", unary},
      {"Sqrt", unary},
      {"Sub", binary},
      {"Sum", several},
      {"Where", where},
      {"Xor", binary},
  });
  return operators;
}

}  // namespace kaspar::nodes
