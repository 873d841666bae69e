// Operators on elements one by one, which others are made of too.
#pragma once

#include <cstdint>

#include "nodes/model/node_lowering.hpp"

namespace kaspar::nodes {

enum class Unary : std::uint8_t {
  Abs,
  Ceil,
  Erf,
  Exp,
  Floor,
  Log,
  Neg,
  Not,
  Reciprocal,
  Relu,
  Round,  // halves to the even neighbour
  Sigmoid,
  Sign,
  Sqrt,
  Tanh,
};
enum class Binary : std::uint8_t {
  Add,
  Sub,
  Mul,
  Div,  // of integers: towards zero; by zero the row fails
  Pow,
  Max,
  Min,
  Mod,   // the sign of the divisor
  FMod,  // the sign of the dividend
  And,
  Or,
  Xor,
  Equal,
  Less,
  LessOrEqual,
  Greater,
  GreaterOrEqual,
};

[[nodiscard]] Tensor apply_unary(NodeLowering& node, Unary function, const Tensor& from);
/// Broadcasts. Both are of one type, which the result has too, unless it is Bool.
[[nodiscard]] Tensor combine(NodeLowering& node, Binary op, const Tensor& left,
                             const Tensor& right);
/// Broadcasts: where `condition`, of Bool, holds the one, else the other.
[[nodiscard]] Tensor choose(NodeLowering& node, const Tensor& condition, const Tensor& yes,
                            const Tensor& no);
/// As ONNX casts; between numbers and strings, too.
[[nodiscard]] Tensor cast_to(NodeLowering& node, const Tensor& from, Element to);
/// A constant beside `like`, of its type.
[[nodiscard]] inline Tensor scalar(const Tensor& like, double value) {
  return known_number(like.element, value);
}

}  // namespace kaspar::nodes
