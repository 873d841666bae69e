// Whether everything is read: for runs that stop at the end.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <utility>

#include "nodes/kafka/cluster_probe.hpp"
#include "nodes/kafka/consumer.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// A partition that this process reads is at its end once that was seen, or, where records were
/// fed, once everything fed is read. One that another member reads is so once the group has
/// committed what it held when this process was done with its own: nobody leaves while some
/// partition might come back unread. One thread calls it.
class PartitionEnds {
 public:
  /// The probe, which is connected before reached() is called, and the settings outlive it.
  PartitionEnds(const RunSettings& settings, ClusterProbe& probe)
      : settings_(settings), probe_(probe) {}

  [[nodiscard]] bool reached(Consumer& consumer, OffsetTracker& tracker);

 private:
  using Partition = std::pair<std::size_t, std::int32_t>;  // of a subscription

  [[nodiscard]] bool own_reached(Consumer& consumer, OffsetTracker& tracker,
                                 std::map<Partition, bool>& unread);
  [[nodiscard]] bool others_reached(Consumer& consumer, const std::map<Partition, bool>& unread);
  [[nodiscard]] bool find_end(Consumer& consumer, Partition partition);

  const RunSettings& settings_;
  ClusterProbe& probe_;
  std::map<Partition, std::int64_t> ends_;
  std::chrono::steady_clock::time_point next_look_{};
};

}  // namespace kaspar::nodes::kafka
