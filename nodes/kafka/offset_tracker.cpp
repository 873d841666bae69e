#include "nodes/kafka/offset_tracker.hpp"

#include <algorithm>

#include "nodes/kafka/fail_point.hpp"

namespace kaspar::nodes::kafka {

std::uint32_t OffsetTracker::index_of(std::string_view topic, std::int32_t partition) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    if (partitions_[i].partition == partition && partitions_[i].topic == topic) {
      return static_cast<std::uint32_t>(i);
    }
  }
  partitions_.push_back({.topic = std::string{topic}, .partition = partition});
  return static_cast<std::uint32_t>(partitions_.size() - 1);
}

std::string_view OffsetTracker::topic(std::uint32_t index) const {
  const std::lock_guard lock(mutex_);
  return partitions_[index].topic;
}

std::int32_t OffsetTracker::partition(std::uint32_t index) const {
  const std::lock_guard lock(mutex_);
  return partitions_[index].partition;
}

std::uint64_t OffsetTracker::assign(std::uint32_t index) {
  revoke(index);
  const std::lock_guard lock(mutex_);
  return partitions_[index].epoch;
}

void OffsetTracker::revoke(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  ++partition.epoch;
  partition.watermark = partition.committed = -1;
  partition.spans.clear();
  finished_.notify_all();
}

void OffsetTracker::begin(std::uint32_t index, std::uint64_t epoch, std::int64_t first,
                          std::int64_t last) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  if (partition.epoch == epoch) partition.spans.push_back({.first = first, .last = last});
  if (planted_bug("commit_before_acknowledgement")) {
    partition.spans.back().done = true;
    advance(partition);
  }
}

void OffsetTracker::skip_to(std::uint32_t index, std::int64_t end) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  const std::int64_t next =
      partition.spans.empty() ? partition.watermark : partition.spans.back().last + 1;
  if (end <= next) return;
  partition.spans.push_back({.first = end, .last = end - 1, .done = true});
  advance(partition);
}

void OffsetTracker::finish(std::uint32_t index, std::uint64_t epoch, std::int64_t first) noexcept {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  if (partition.epoch != epoch && !planted_bug("old_epoch_accepted")) return;
  const auto span = std::ranges::lower_bound(partition.spans, first, {}, &Span::first);
  if (span == partition.spans.end() || span->first != first) return;
  span->done = true;
  advance(partition);
  if (partition.spans.empty()) finished_.notify_all();
}

void OffsetTracker::advance(Partition& partition) {
  while (!partition.spans.empty() && partition.spans.front().done) {
    partition.watermark = partition.spans.front().last + 1;
    partition.spans.pop_front();
  }
}

std::vector<PartitionOffset> OffsetTracker::uncommitted() const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionOffset> offsets;
  for (std::size_t i = 0; i < partitions_.size(); ++i) {
    const Partition& partition = partitions_[i];
    if (partition.watermark <= partition.committed) continue;
    offsets.push_back({.topic = partition.topic,
                       .partition = partition.partition,
                       .index = static_cast<std::uint32_t>(i),
                       .offset = partition.watermark});
  }
  return offsets;
}

void OffsetTracker::committed(std::uint32_t index, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  partition.committed = std::max(partition.committed, offset);
}

bool OffsetTracker::wait_idle(std::uint32_t index,
                              std::chrono::steady_clock::time_point deadline) const {
  std::unique_lock lock(mutex_);
  return finished_.wait_until(lock, deadline, [&] { return partitions_[index].spans.empty(); });
}

}  // namespace kaspar::nodes::kafka
