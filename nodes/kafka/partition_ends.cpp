#include "nodes/kafka/partition_ends.hpp"

#include <optional>

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds look_interval{200};
constexpr int commit_query_timeout = 2'000;

}  // namespace

bool PartitionEnds::reached(Consumer& consumer, OffsetTracker& tracker) {
  if (!settings_.until_end) return false;
  if (settings_.feeding != nullptr && *settings_.feeding) return false;
  std::map<Partition, bool> unread;  // every partition that is not known to be read
  if (!own_reached(consumer, tracker, unread)) return false;
  if (unread.empty()) return true;
  // Asking brokers takes time, and others need some for their part.
  if (steady_clock::now() < next_look_) return false;
  const bool all = others_reached(consumer, unread);
  next_look_ = steady_clock::now() + look_interval;
  return all;
}

bool PartitionEnds::own_reached(Consumer& consumer, OffsetTracker& tracker,
                                std::map<Partition, bool>& unread) {
  const auto& subscriptions = consumer.subscriptions();
  for (std::size_t i = 0; i < subscriptions.size(); ++i) {
    for (std::int32_t p = 0; p < subscriptions[i].partitions; ++p) unread[{i, p}] = true;
  }
  const auto& assignments = consumer.assignments();
  for (std::uint32_t index = 0; index < assignments.size(); ++index) {
    const std::optional<Assignment>& assignment = assignments[index];
    if (!assignment) continue;
    const Partition partition{assignment->subscription, tracker.partition(index)};
    if (settings_.feeding == nullptr) {
      if (!assignment->reached_end) return false;
    } else {
      // Records may have been fed since an end was seen.
      if (!find_end(consumer, partition)) return false;
      if (ends_[partition] > 0 && assignment->position < ends_[partition]) return false;
    }
    unread.erase(partition);
  }
  return true;
}

bool PartitionEnds::others_reached(Consumer& consumer, const std::map<Partition, bool>& unread) {
  const PartitionList committed = make_partition_list(unread.size());
  for (const auto& [partition, missing] : unread) {
    if (!find_end(consumer, partition)) return false;
    rd_kafka_topic_partition_list_add(
        committed.get(), consumer.subscriptions()[partition.first].topic.c_str(), partition.second);
  }
  if (rd_kafka_committed(consumer.client(), committed.get(), commit_query_timeout) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  int i = 0;
  for (const auto& [partition, missing] : unread) {
    const rd_kafka_topic_partition_t& found = committed->elems[i++];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
    if (ends_[partition] > 0 && found.offset < ends_[partition]) return false;
  }
  return true;
}

bool PartitionEnds::find_end(Consumer& consumer, Partition partition) {
  if (ends_.contains(partition)) return true;
  const auto found =
      probe_.watermarks(consumer.subscriptions()[partition.first].topic, partition.second);
  if (!found) return false;
  ends_[partition] = found->low == found->high ? 0 : found->high;  // an empty one holds nothing
  return true;
}

}  // namespace kaspar::nodes::kafka
