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
  partitions_[index].assigned = true;
  return partitions_[index].epoch;
}

void OffsetTracker::revoke(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  ++partition.epoch;
  partition.watermark = partition.committed = partition.found = -1;
  partition.assigned = false;
  partition.spans.clear();
  partition.discarded = false;
  finished_.notify_all();
}

std::vector<PartitionSnapshot> OffsetTracker::partitions() const {
  const std::lock_guard lock(mutex_);
  std::vector<PartitionSnapshot> snapshots;
  for (const Partition& partition : partitions_) {
    if (!partition.assigned) continue;
    snapshots.push_back(
        {.topic = partition.topic,
         .partition = partition.partition,
         .read = partition.spans.empty() ? partition.watermark : partition.spans.back().last + 1,
         .committed = std::max(partition.committed, partition.found)});
  }
  return snapshots;
}

void OffsetTracker::found_committed(std::uint32_t index, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  partitions_[index].found = offset;
}

void OffsetTracker::discard(std::uint32_t index, std::uint64_t epoch) noexcept {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  if (partition.epoch != epoch || partition.spans.empty()) return;
  partition.discarded = true;
  finished_.notify_all();
}

bool OffsetTracker::must_rewind() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::any_of(partitions_, &Partition::discarded);
}

std::int64_t OffsetTracker::first_in_flight(std::uint32_t index) const {
  const std::lock_guard lock(mutex_);
  const Partition& partition = partitions_[index];
  return partition.spans.empty() ? -1 : partition.spans.front().first;
}

std::uint64_t OffsetTracker::rewind(std::uint32_t index) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  partition.spans.clear();
  partition.discarded = false;
  finished_.notify_all();
  return ++partition.epoch;
}

bool OffsetTracker::idle() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(partitions_,
                             [](const Partition& partition) { return partition.spans.empty(); });
}

void OffsetTracker::begin(std::uint32_t index, std::uint64_t epoch, std::int64_t first,
                          std::int64_t last) {
  const std::lock_guard lock(mutex_);
  Partition& partition = partitions_[index];
  if (partition.epoch == epoch) partition.spans.push_back({.first = first, .last = last});
  if (late_ && late_->index == index && late_->first == first) end_span(*late_);
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
  const Finished span{.index = index, .epoch = epoch, .first = first};
  if (!late_ && fault_due("late_acknowledgement")) {
    late_ = span;
  } else {
    end_span(span);
  }
}

void OffsetTracker::end_span(const Finished& finished) noexcept {
  Partition& partition = partitions_[finished.index];
  if (partition.epoch != finished.epoch && !planted_bug("old_epoch_accepted")) return;
  const auto span = std::ranges::lower_bound(partition.spans, finished.first, {}, &Span::first);
  if (span == partition.spans.end() || span->first != finished.first) return;
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
  const Partition& partition = partitions_[index];
  finished_.wait_until(lock, deadline,
                       [&] { return partition.spans.empty() || partition.discarded; });
  return partition.spans.empty();
}

}  // namespace kaspar::nodes::kafka
