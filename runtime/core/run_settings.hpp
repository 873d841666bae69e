// How a plan is run: what the profile and the command line decide.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace kaspar {

class EventLog;

struct KafkaSettings {
  std::string brokers = "localhost:9092";
  std::map<std::string, std::string> options;  // librdkafka properties
  std::chrono::milliseconds connect_timeout{10'000};
};

/// What librdkafka's waits are set for; batches form from what has arrived in any case.
enum class RunMode : std::uint8_t { Balanced, Latency, Throughput };

struct HttpSettings {
  bool enabled = true;
  std::string listen = "127.0.0.1:8080";
  bool listen_given = false;  // then a port that is taken is an error
  std::string probes;         // HOST:PORT; empty: none
};

struct RunSettings {
  KafkaSettings kafka;
  /// Further clusters, by the name that an endpoint's option `cluster` gives.
  std::map<std::string, KafkaSettings, std::less<>> clusters;
  /// Of the cluster with that name, empty: of `kafka`; nullptr where there is none.
  [[nodiscard]] const KafkaSettings* cluster(std::string_view name) const {
    if (name.empty()) return &kafka;
    const auto found = clusters.find(name);
    return found == clusters.end() ? nullptr : &found->second;
  }
  RunMode mode = RunMode::Balanced;
  /// Names the process among those of its group; empty: the host's name.
  std::string instance;
  HttpSettings http;
  /// Threads that run the graph; 0: the CPUs of the cgroup, quota rounded up.
  std::size_t threads = 0;
  std::size_t memory_budget = 256u << 20;  // bytes
  std::size_t model_memory = 0;            // of these, what the plan's models take
  std::chrono::milliseconds commit_interval{1'000};
  std::chrono::milliseconds shutdown_deadline{20'000};
  /// Without any acknowledgement for so long while some are due, the log says so.
  std::chrono::milliseconds stall_warning{30'000};
  /// Stop once every source is read to its end.
  bool until_end = false;
  /// With until_end: while it is true, records are still being fed to the sources, and the end of
  /// a partition is not yet the end. nullptr: nobody feeds.
  const std::atomic<bool>* feeding = nullptr;
  /// Stop after that many records were read.
  std::optional<std::uint64_t> record_limit;
  /// Each stage its own graph node.
  bool fuse = true;
  /// Best-effort branches hold back the others and drop nothing for want of room (tests, eval).
  bool lossless_best_effort = false;
  /// How long best-effort branches may go on once everything else is delivered, within the
  /// deadline.
  std::chrono::milliseconds best_effort_grace{2'000};
};

/// What a node's factory is given. Outlives everything made with it.
struct RunContext {
  const RunSettings& settings;
  EventLog& log;
};

}  // namespace kaspar
