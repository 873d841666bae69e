// A typed expression as the plan carries it: names are resolved to column slots, types agree.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/type.hpp"
#include "runtime/core/value.hpp"

namespace kaspar {

struct FunctionDescriptor;

/// Index of a column in the columns of a chain (`ChainPlan::slots`). Every definition of a column
/// has a slot of its own, also one that replaces an earlier column of the same name.
using Slot = std::uint32_t;

enum class MetaField : std::uint8_t { Key, Value, Topic, Partition, Offset, Timestamp, Header };

/// A tree. The operands of arithmetic and comparisons have the same type but for the durations that
/// are added to timestamps; whatever else has to be converted stands below a Convert. Stages read
/// leaves (Literal, Column, Meta) only: the compiler computes anything larger into a column of its
/// own in the stage before.
///
/// And, Or, Coalesce and Case compute an operand only for the rows that need it, so that only those
/// can fail in it.
struct Expression {
  enum class Kind : std::uint8_t {
    Literal,  // `literal`: bool, i64, double (f32 and f64), string (string and bytes), i64
              // milliseconds (timestamp), milliseconds (duration)
    Column,   // `slot`
    Meta,     // `meta`, `header`
    Local,    // the value `local` of an enclosing Let
    Let,      // children but the last one are the locals `local`, `local` + 1, …, each of which may
              // use the earlier; the last child is the result
    Negate,   // -a: i64 (K0906 on overflow), f32, f64, duration
    Not,
    And,       // a and b
    Or,        // a or b
    Add,       // i64, f32, f64; string joins; timestamp + duration, duration + timestamp; durations
    Subtract,  // i64, f32, f64; timestamp - timestamp, timestamp - duration; durations
    Multiply,  // i64, f32, f64
    Divide,    // i64 (truncates; K0906 on zero and overflow), f32, f64
    Remainder,  // i64 (the sign of a; K0906 on zero), f32, f64 (fmod)
    Equal,      // scalars of one type; text bytewise; floats by IEEE; bool too
    NotEqual,
    Less,  // as Equal, but bool has no order
    LessEqual,
    Greater,
    GreaterEqual,
    In,         // children[0] equals one of the others, all of one type
    IsNull,     // a == null
    IsPresent,  // a != null
    Coalesce,   // a ?? b: b where a is null; optional if b is
    Case,       // c0, v0, c1, v1, …, otherwise: the value of the first true condition
    Element,    // a[i] of a vector; K0906 where i is outside
    Convert,  // a as `type`: f32 to f64; i64 literals adapt before; bytes to string (K0902 where it
              // is no UTF-8); string to bytes; T to T?
    Call,     // `function` of the children
  };

  Kind kind = Kind::Literal;
  Type type;
  Value literal;
  Slot slot = 0;
  MetaField meta = MetaField::Key;
  std::string header;  // which one, of MetaField::Header
  std::string text;    // as written, for messages and prints
  const FunctionDescriptor* function = nullptr;
  std::uint32_t local = 0;
  std::vector<Expression> children;
};

}  // namespace kaspar
