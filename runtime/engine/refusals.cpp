#include "runtime/engine/refusals.hpp"

namespace kaspar::engine {

Refusals::Key Refusals::key(const Path* path, const RecordBatch& records, Row row) {
  const Record& record = records.records[row];
  std::string_view topic;
  std::int32_t partition = 0;
  if (record.span < records.spans.size()) {
    topic = records.spans[record.span].topic;
    partition = records.spans[record.span].partition;
  }
  return {records.endpoint, topic, partition, record.offset, path};
}

void Refusals::add(const Path& path, const RecordBatch& records, Row row, std::string_view why) {
  const std::lock_guard lock(mutex_);
  all_.insert_or_assign(key(&path, records, row), std::string{why});
  count_ = all_.size();
}

std::optional<std::string> Refusals::find(const Path& path, const RecordBatch& records,
                                          Row row) const {
  const std::lock_guard lock(mutex_);
  const auto found = all_.find(key(&path, records, row));
  if (found == all_.end()) return std::nullopt;
  return found->second;
}

void Refusals::forget(const RecordBatch& records) noexcept {
  const std::lock_guard lock(mutex_);
  for (const PartitionSpan& span : records.spans) {
    const auto first = all_.lower_bound(
        {records.endpoint, span.topic, span.partition, span.first_offset, nullptr});
    const auto last = all_.lower_bound(
        {records.endpoint, span.topic, span.partition, span.last_offset + 1, nullptr});
    all_.erase(first, last);
  }
  count_ = all_.size();
}

}  // namespace kaspar::engine
