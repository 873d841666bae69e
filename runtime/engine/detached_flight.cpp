#include "runtime/engine/detached_flight.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace kaspar::engine {

void CopiedRecords::add_headers(std::span<const Header> headers) {
  for (const Header& header : headers) {
    headers_.push_back({.name = text_.copy(header.name),
                        .value = text_.copy(header.value),
                        .has_value = header.has_value});
  }
  ends_.push_back(headers_.size());
}

void CopiedRecords::release() noexcept {
  text_.clear();
  headers_.clear();
  ends_.clear();
}

void CopiedRecords::headers(std::size_t row, std::vector<Header>& headers) const {
  const auto first = row == 0 ? 0 : static_cast<std::ptrdiff_t>(ends_[row - 1]);
  headers.insert(headers.end(), headers_.begin() + first,
                 headers_.begin() + static_cast<std::ptrdiff_t>(ends_[row]));
}

DetachedFlight::DetachedFlight(std::span<const ChainPlan* const> heads, std::size_t capacity)
    : capacity_(capacity) {
  sections_.reserve(heads.size());
  for (const ChainPlan* head : heads) {
    const auto inherited = std::span(head->slots).first(head->inherited);
    sections_.emplace_back(std::make_unique<Batch>(inherited, capacity)).rows.reserve(capacity);
  }
  auto storage = std::make_unique<CopiedRecords>();
  storage_ = storage.get();
  records.storage = std::move(storage);
  records.records.reserve(capacity);
}

bool DetachedFlight::takes(const RecordBatch& from) const noexcept {
  if (records.records.empty()) return true;
  return records.records.size() < capacity_ && records.endpoint == from.endpoint &&
         records.header.data() == from.header.data() && records.header.size() == from.header.size();
}

std::size_t DetachedFlight::text_bytes(std::size_t head, const RecordBatch& from, Row row,
                                       const Batch* columns, const ChainInput& input) {
  const Record& record = from.records[row];
  std::size_t total = record.key.size() + record.value.size();
  scratch_.clear();
  if (from.storage) from.storage->headers(row, scratch_);
  for (const Header& header : scratch_) {
    total += sizeof(Header) + header.name.size() + header.value.size();
  }
  if (columns == nullptr) return total;
  for (const ColumnBinding& binding : input.columns) {
    const ColumnBuffer& column = columns->column(binding.from);
    if (!sections_[head].columns->column(binding.to).type.is_text() || column.is_null(row))
      continue;
    total += column.row<std::string_view>(row)->size();
  }
  return total;
}

// Partitions are few; rows of one share a span.
std::uint32_t DetachedFlight::span_like(const PartitionSpan& span) {
  const auto same = std::ranges::find_if(records.spans, [&](const PartitionSpan& known) {
    return known.topic == span.topic && known.partition == span.partition;
  });
  const auto index = static_cast<std::uint32_t>(same - records.spans.begin());
  if (same == records.spans.end()) records.spans.push_back(span);
  return index;
}

void DetachedFlight::append(std::size_t head, const RecordBatch& from, Row row,
                            const Batch* columns, const ChainInput& input) {
  const auto to = static_cast<Row>(records.records.size());
  records.endpoint = from.endpoint;
  records.header = from.header;
  Record record = from.records[row];
  record.key = storage_->copy(record.key);
  record.value = storage_->copy(record.value);
  if (record.span < from.spans.size()) record.span = span_like(from.spans[record.span]);
  records.records.push_back(record);
  records.bytes += record.key.size() + record.value.size();
  scratch_.clear();
  if (from.storage) from.storage->headers(row, scratch_);
  storage_->add_headers(scratch_);
  Section& section = sections_[head];
  section.rows.push_back(to);
  if (columns == nullptr) return;
  for (const ColumnBinding& binding : input.columns) {
    const ColumnBuffer& source = columns->column(binding.from);
    const ColumnBuffer& target = section.columns->column(binding.to);
    const bool null = source.is_null(row);
    if (target.valid != nullptr) target.valid[to] = null ? 0 : 1;
    if (null) continue;  // what stands there means nothing
    if (target.type.is_text()) {
      *target.row<std::string_view>(to) = storage_->copy(*source.row<std::string_view>(row));
      continue;
    }
    const std::size_t width = element_size(target.type.scalar) * target.type.elements();
    std::memcpy(target.data + to * width, source.data + row * width, width);
  }
}

void DetachedFlight::clear() noexcept {
  records.clear();
  for (Section& section : sections_) section.rows.clear();
  behind = nullptr;
  bytes = 0;
}

}  // namespace kaspar::engine
