// Rows of best-effort branches, copied so that the flights that they come from need not wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/record.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

/// Keys, values and headers of copied records, and the text of copied columns.
class CopiedRecords final : public RecordStorage {
 public:
  [[nodiscard]] std::string_view copy(std::string_view text) { return text_.copy(text); }
  void add_headers(std::span<const Header> headers);

  void release() noexcept override;
  void headers(std::size_t row, std::vector<Header>& headers) const override;

 private:
  TextArena text_;
  std::vector<Header> headers_;
  std::vector<std::size_t> ends_;  // by row
};

/// Copied rows for the chains at the head of some branches, each row for one of them. Pooled by its
/// queue.
class DetachedFlight final : public Flight {
 public:
  /// Bytes that it holds beside its columns, about.
  static constexpr std::size_t base_bytes = 128u << 10;

  DetachedFlight(std::span<const ChainPlan* const> heads, std::size_t capacity);

  /// Whether it has room for a row of this batch.
  [[nodiscard]] bool takes(const RecordBatch& from) const noexcept;

  /// Bytes of text that append() would copy.
  [[nodiscard]] std::size_t text_bytes(std::size_t head, const RecordBatch& from, Row row,
                                       const Batch* columns, const ChainInput& input);

  /// Copies a row, and its columns as `input` binds them (`columns`: nullptr for a source).
  void append(std::size_t head, const RecordBatch& from, Row row, const Batch* columns,
              const ChainInput& input);

  [[nodiscard]] std::span<const Row> rows(std::size_t head) const noexcept {
    return sections_[head].rows;
  }
  [[nodiscard]] const ColumnBuffer& column(std::size_t head, Slot slot) const noexcept {
    return sections_[head].columns->column(slot);
  }

  void clear() noexcept;

  DetachedFlight* behind = nullptr;  // in its queue
  std::size_t bytes = 0;             // that its queue counts for it

 private:
  struct Section {
    std::unique_ptr<Batch> columns;
    std::vector<Row> rows = {};
  };
  [[nodiscard]] std::uint32_t span_like(const PartitionSpan& span);

  std::vector<Section> sections_;
  std::size_t capacity_;
  CopiedRecords* storage_;
  std::vector<Header> scratch_;
};

}  // namespace kaspar::engine
