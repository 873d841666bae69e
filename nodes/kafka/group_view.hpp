// What those who look on are told of a consumer: its partitions and their lag, the members of its
// group, whether brokers answer. Nothing of it is used for reading or committing.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "nodes/kafka/consumer.hpp"
#include "nodes/kafka/offset_tracker.hpp"
#include "runtime/core/run_snapshot.hpp"

namespace kaspar::nodes::kafka {

/// The consumer and the tracker outlive it. Once the consumer is open:
class GroupView {
 public:
  GroupView(Consumer& consumer, OffsetTracker& tracker) : consumer_(consumer), tracker_(tracker) {}

  /// From what is known here: the ends that came with fetched records. Any thread.
  void describe(SourceSnapshot& snapshot) const;
  /// Asks brokers: whether they answer, the ends of partitions, offsets that were committed before
  /// this process came, and with `members` who is in the group. One thread at a time.
  void look_around(std::chrono::milliseconds within, bool members);

 private:
  void find_offsets(std::chrono::steady_clock::time_point deadline);
  void find_members(std::chrono::steady_clock::time_point deadline);

  Consumer& consumer_;
  OffsetTracker& tracker_;
  mutable std::mutex mutex_;
  // Under the mutex:
  std::map<std::pair<std::string, std::int32_t>, std::int64_t> ends_;
  std::vector<MemberSnapshot> members_;
  std::size_t brokers_ = 0;
};

/// The partitions in a member's assignment as the protocol of consumers lays it out; nothing where
/// it is something else. Bounded by the bytes given.
[[nodiscard]] std::vector<std::pair<std::string, std::int32_t>> read_assignment(
    std::string_view bytes);

}  // namespace kaspar::nodes::kafka
