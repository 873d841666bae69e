// The operator of `parse csv`: fills the columns of a schema from records' values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "nodes/csv/number_kernels.hpp"
#include "runtime/core/operator.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar::nodes::csv {

/// Fields are taken in schema order, a vector takes as many as it is wide. A row that does not fit
/// fails by the first of these that is so:
///
/// - K0905: the record has no value
/// - K0903: its quotes are broken, or it has a line break outside them
/// - K0901: it has more or fewer fields than the schema
/// - K0905, K0902: from left to right, a field is empty that may not be, or cannot be read
///
/// Strings view the record, or the batch's TextArena where doubled quotes were undone.
class CsvParser final : public Operator {
 public:
  /// Without kernels every row is read field by field: the reference that tests compare with. The
  /// results are the same.
  CsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter,
            const NumberKernels* kernels = &number_kernels());

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override;
  void process(Batch& batch, OperatorState* state) const noexcept override;

 private:
  struct State;
  struct Target {
    Slot slot = 0;
    Type type;
    std::string_view name;  // into schema_
  };
  /// Columns side by side that are read at once: numbers of one type, or a single other one.
  struct Run {
    std::size_t first = 0, last = 0;  // of targets_
    std::size_t field = 0, fields = 0;
  };

  void read_row(Batch& batch, Row row, State& state) const;
  /// Field by field, by the rules for quotes.
  void read_fields(Batch& batch, Row row, std::string_view record) const;
  /// As many fields as the schema has, without quotes, whose ends the state has. False: some field
  /// is no number, and nothing was said of it.
  bool read_unquoted(Batch& batch, Row row, std::string_view record, State& state) const;
  template <class T>
  bool read_numbers(Batch& batch, Row row, const Run& run, std::string_view record,
                    State& state) const;
  /// What the kernels left: a long number, one with blanks, or null where that may be.
  template <class T>
  bool read_left(Batch& batch, Row row, std::size_t field, std::string_view record,
                 const State& state, T& value) const;
  void fail_count(Batch& batch, Row row, std::size_t found) const;

  Schema schema_;
  std::vector<Target> targets_;
  std::vector<std::uint32_t> target_of_;  // by field
  std::vector<Run> runs_;
  std::size_t fields_ = 0;
  char delimiter_;
  const NumberKernels* kernels_;
};

}  // namespace kaspar::nodes::csv
