// The operator of `parse csv`: fills the columns of a schema from records' values.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

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
  /// Which code reads rows: Fast takes a short cut for rows without quotes, Plain does without it
  /// (the reference that tests compare with). The results are the same.
  enum class Path : std::uint8_t { Fast, Plain };

  CsvParser(const Schema& schema, std::span<const Slot> writes, char delimiter,
            Path path = Path::Fast);

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override;
  void process(Batch& batch, OperatorState* state) const noexcept override;

 private:
  struct State;
  struct Target {
    Slot slot = 0;
    Type type;
    std::string_view name;  // into schema_
  };

  void read_row(Batch& batch, Row row, State& state) const;
  /// `ends`: of the row's fields, one for each of the schema.
  void read_unquoted(Batch& batch, Row row, std::string_view record,
                     std::span<const std::uint32_t> ends) const;
  template <class T>
  bool read_floats(Batch& batch, Row row, const Target& target, std::string_view record,
                   std::span<const std::uint32_t> ends, std::size_t first) const;
  void fail_count(Batch& batch, Row row, std::size_t found) const;

  Schema schema_;
  std::vector<Target> targets_;
  std::size_t fields_ = 0;
  char delimiter_;
  Path path_;
};

}  // namespace kaspar::nodes::csv
