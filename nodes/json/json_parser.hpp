// The operator of `parse json`: fills the columns of a schema from records' values.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "nodes/json/json_fields.hpp"
#include "runtime/core/operator.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar::nodes::json {

/// A record's value is one JSON object (RFC 8259), read by simdjson and checked to its end. A row
/// that does not fit fails by the first of these that is so:
///
/// - K0905: the record has no value
/// - K0903: it is no JSON, no object, or nested more than 1024 deep
/// - in the order of the schema: K0905, a value is missing or null that may not be; K0901, an array
///   has another length than the vector; K0902, a value is of another kind or out of range
///
/// Strings are copied to the batch's TextArena.
class JsonParser final : public Operator {
 public:
  JsonParser(const Schema& schema, std::span<const Slot> writes);

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override;
  void process(Batch& batch, OperatorState* state) const noexcept override;

 private:
  struct State;
  void read_row(Batch& batch, Row row, State& state) const;
  [[nodiscard]] bool read_column(Batch& batch, Row row, std::size_t column,
                                 const State& state) const;
  [[nodiscard]] bool read_vector(Batch& batch, Row row, std::size_t column,
                                 const State& state) const;

  Schema schema_;
  std::vector<Slot> writes_;
  JsonFields fields_;
};

}  // namespace kaspar::nodes::json
