// A typed expression as the plan carries it: names are resolved to column slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/type.hpp"
#include "runtime/core/value.hpp"

namespace kaspar {

/// Index of a column in the columns of a chain (`ChainPlan::slots`). Every definition of a column
/// has a slot of its own, also one that replaces an earlier column of the same name.
using Slot = std::uint32_t;

enum class MetaField : std::uint8_t { Key, Value, Topic, Partition, Offset, Timestamp, Header };

struct Expression {
  enum class Kind : std::uint8_t { Literal, Column, Meta };

  Kind kind = Kind::Literal;
  Type type;
  Value literal;                    // Kind::Literal
  Slot slot = 0;                    // Kind::Column
  MetaField meta = MetaField::Key;  // Kind::Meta
  std::string header;               // Kind::Meta, MetaField::Header: which header
  std::string text;                 // as written, for messages and prints
};

}  // namespace kaspar
