// `run --embedded`: prints what the pipeline writes to its topics, as `consume` does.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nodes/kafka/topic_reader.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::cli {

/// A thread that reads topics from their first record on and prints each record as a line of
/// standard output.
class TopicPrinter {
 public:
  TopicPrinter() = default;
  TopicPrinter(const TopicPrinter&) = delete;
  TopicPrinter& operator=(const TopicPrinter&) = delete;
  ~TopicPrinter();

  [[nodiscard]] std::expected<void, Failure> start(const KafkaSettings& settings,
                                                   const std::vector<std::string>& topics,
                                                   EventLog& log);

  /// Returns once everything that the topics hold at this moment is printed, nothing more will be,
  /// or `stopped` says so. Any thread, one at a time, after start().
  void wait_until_drained(const std::function<bool()>& stopped);

  /// Prints the rest and ends the thread; the failure says why something was not printed.
  [[nodiscard]] std::expected<void, Failure> finish();

 private:
  void run();

  std::unique_ptr<nodes::kafka::TopicReader> reader_;
  std::atomic<bool> finishing_{false};
  std::atomic<bool> abandoned_{false};
  std::atomic<std::uint64_t> asked_{0};     // questions whether all is printed
  std::atomic<std::uint64_t> answered_{0};  // the last of them to which the answer was yes
  std::optional<Failure> failure_;
  std::thread thread_;
};

}  // namespace kaspar::cli
