// The operator of `parse csv` for a schema whose fields say where they come `from`.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/operator.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar::nodes::csv {

/// Fields are found by the names in the header of the batch's source; of a name that stands there
/// twice, the first. Columns that the schema does not name are ignored. Rows fail as with
/// CsvParser, and by K0901 where they have more or fewer fields than the header, or the header
/// lacks a name.
class NamedCsvParser final : public Operator {
 public:
  /// A vector's `origin` is the name of its first element; those of the others count up from there,
  /// with as many digits where it begins with a zero.
  NamedCsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter);

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override;
  void process(Batch& batch, OperatorState* state) const noexcept override;

 private:
  struct State;
  void read_header(std::string_view header, State& state) const;
  void read_row(Batch& batch, Row row, State& state) const;

  Schema schema_;
  std::vector<Slot> writes_;
  std::vector<std::string> names_;  // of every element, in the order of the schema
  char delimiter_;
};

}  // namespace kaspar::nodes::csv
