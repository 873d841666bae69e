// The columnar chunk that one chain works on: typed columns over the rows of a RecordBatch,
// which rows are still alive, which failed and why, and the records to write in the end.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/record.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar {

/// Row index within a batch.
using Row = std::uint16_t;

/// One slot's values, row-major: row r of a vector of width w starts at element r*w. The data is
/// aligned to 64 bytes and zero where nothing was written yet.
struct ColumnBuffer {
  Type type;
  std::byte* data = nullptr;
  std::uint8_t* valid = nullptr;  // one byte a row, 0 = null; nullptr unless type.optional

  /// T is bool, std::int64_t (i64, timestamp and duration in ms), float, double or
  /// std::string_view, as element_size says.
  template <class T>
  [[nodiscard]] T* values() const noexcept {
    return reinterpret_cast<T*>(data);
  }
  template <class T>
  [[nodiscard]] T* row(std::size_t index) const noexcept {
    return values<T>() + index * type.elements();
  }
  [[nodiscard]] bool is_null(std::size_t index) const noexcept {
    return valid != nullptr && valid[index] == 0;
  }
};

/// A row that failed, and why. `stage` indexes ChainPlan::stages.
struct RowError {
  Row row = 0;
  std::uint32_t stage = 0;
  DiagnosticCode code = DiagnosticCode::K0902;
  std::string message;
};

/// What an error row tells besides its raw bytes.
struct DeadLetter {
  std::string_view stage;  // the stage's word
  DiagnosticCode code = DiagnosticCode::K0902;
  std::string_view message;
  std::string_view topic;  // empty: the source has none
  std::int32_t partition = 0;
  std::int64_t offset = -1;  // -1: none
};

/// One record for a sink. All views live until the sink has reported its delivery.
struct OutputRecord {
  std::string_view key;
  std::string_view value;
  std::span<const Header> headers;
  std::int64_t timestamp = -1;              // -1: the sink's own now
  const DeadLetter* dead_letter = nullptr;  // set: an error row, `value` is the raw record
  Row row = 0;                              // of the batch it comes from
  bool has_key = false;
  bool has_value = true;
};

/// Text that operators compute for a batch: stable views, freed together, memory reused.
class TextArena {
 public:
  /// Uninitialized room that stays in place until clear().
  [[nodiscard]] char* allocate(std::size_t size);
  [[nodiscard]] std::string_view copy(std::string_view text);
  void clear() noexcept;

 private:
  static constexpr std::size_t block_size = 64 * 1024;
  std::vector<std::unique_ptr<char[]>> blocks_;        // each of block_size, kept
  std::vector<std::unique_ptr<char[]>> large_blocks_;  // freed by clear()
  std::size_t block_ = 0;
  std::size_t used_ = 0;
};

/// Pooled. One thread works on a batch at a time; the engine hands it from one to the next.
class Batch {
 public:
  /// Makes room for `capacity` rows of every slot but the first `inherited` ones, which are bound.
  Batch(std::span<const Column> slots, std::size_t capacity, std::size_t inherited = 0);
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch();

  /// Bytes of columns that a batch of `capacity` rows takes.
  [[nodiscard]] static std::size_t column_bytes(std::span<const Column> slots,
                                                std::size_t capacity) noexcept;

  /// Begins work on these records: all rows alive, no errors, no outputs.
  void reset(const RecordBatch& records);
  /// The same with these rows alive, ascending.
  void reset(const RecordBatch& records, std::span<const Row> alive);

  /// Shows another batch's column as an inherited slot; that batch outlives the work on this one.
  void bind(Slot slot, const ColumnBuffer& column) noexcept {
    columns_[slot].data = column.data;
    columns_[slot].valid = column.valid;
  }

  [[nodiscard]] const RecordBatch& records() const noexcept { return *records_; }
  [[nodiscard]] const Record& record(std::size_t row) const noexcept {
    return records_->records[row];
  }
  /// Rows read, dead ones included; columns have valid memory for as many.
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }

  /// The rows still alive, ascending.
  [[nodiscard]] std::span<const Row> alive() const noexcept { return alive_; }
  /// Whether every row is alive, so that row r is at index r.
  [[nodiscard]] bool dense() const noexcept { return alive_.size() == rows_; }

  [[nodiscard]] const ColumnBuffer& column(Slot slot) const noexcept { return columns_[slot]; }

  /// Which stage runs; errors are put down to it.
  void begin_stage(std::uint32_t stage) noexcept { stage_ = stage; }
  /// Marks a row of alive() as failed; it leaves alive() when the stage ends. Only a row's first
  /// failure counts.
  void fail(Row row, DiagnosticCode code, std::string message);
  /// Marks a row of alive() as not wanted (a filter): it leaves alive() without an error.
  void discard(Row row) noexcept { removed_.set(row), any_removed_ = true; }
  /// Whether fail() or discard() was called for the row.
  [[nodiscard]] bool removed(Row row) const noexcept { return removed_.test(row); }
  /// Takes failed and discarded rows out of alive().
  void end_stage() noexcept;
  /// Takes this row and all after it out of alive().
  void keep_before(Row row) noexcept;

  [[nodiscard]] std::span<const RowError> errors() const noexcept { return errors_; }

  /// What goes to the chain's sink, in row order.
  [[nodiscard]] std::vector<OutputRecord>& outputs() noexcept { return outputs_; }
  [[nodiscard]] const std::vector<OutputRecord>& outputs() const noexcept { return outputs_; }

  [[nodiscard]] TextArena& text() noexcept { return text_; }

 private:
  void begin(const RecordBatch& records);

  const RecordBatch* records_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t capacity_ = 0;
  std::uint32_t stage_ = 0;
  bool any_removed_ = false;
  std::vector<ColumnBuffer> columns_;
  std::byte* memory_ = nullptr;
  std::vector<Row> alive_;
  std::bitset<max_batch_records> removed_;
  std::vector<RowError> errors_;
  std::vector<OutputRecord> outputs_;
  TextArena text_;
};

}  // namespace kaspar
