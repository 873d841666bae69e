// What librdkafka waits for before it sends and fetches, by the profile's `mode`, which sets
// nothing else. The user's own `[kafka.options]` win over these.
#pragma once

#include "nodes/kafka/client.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// By default nothing waits that has records: what has arrived by then makes the batches.
[[nodiscard]] inline Properties consumer_waits(RunMode mode) {
  Properties waits{{"fetch.wait.max.ms", "100"}, {"fetch.queue.backoff.ms", "10"}};
  if (mode == RunMode::Throughput) waits.emplace_back("fetch.min.bytes", "65536");
  // Newer ones do so anyway.
  if (mode == RunMode::Latency) waits.emplace_back("socket.nagle.disable", "true");
  return waits;
}

[[nodiscard]] inline Properties producer_waits(RunMode mode) {
  Properties waits{{"linger.ms", mode == RunMode::Throughput ? "10" : "0"}};
  if (mode == RunMode::Latency) waits.emplace_back("socket.nagle.disable", "true");
  return waits;
}

}  // namespace kaspar::nodes::kafka
