// `run --feed NAME=PATH`: writes a file's lines to the topic of a source while the pipeline runs.
#pragma once

#include <atomic>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::cli {

struct FedTopic {
  std::string path;
  std::string topic;
  std::string group;  // which reads it
};

/// A thread that feeds one file after the other; keys come from a clock, one second a record.
class Feed {
 public:
  /// `paced`: an embedded broker keeps little and evicts silently, so that no more is written than
  /// it surely holds until the group has committed it and its results are read, which
  /// `wait_until_drained` waits for.
  struct Pace {
    bool paced = false;
    std::function<void(const std::function<bool()>& stopped)> wait_until_drained;
  };

  Feed(std::vector<FedTopic> topics, Pace pace, EventLog& log)
      : topics_(std::move(topics)), pace_(std::move(pace)), log_(log), feeding_(!topics_.empty()) {}
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;
  ~Feed() { stop(); }

  /// Whether each file can be opened; the failure says which cannot.
  [[nodiscard]] std::expected<void, Failure> check_files() const;

  /// True until everything is written: what RunSettings::feeding points to.
  [[nodiscard]] const std::atomic<bool>& feeding() const noexcept { return feeding_; }

  /// `failed` is called from the thread if it cannot go on. The settings outlive the feed.
  void start(const KafkaSettings& settings, std::function<void()> failed);
  /// Ends the thread, whether it is through or not.
  void stop();

  /// After stop(): why it could not go on.
  [[nodiscard]] const std::optional<Failure>& failure() const noexcept { return failure_; }

 private:
  [[nodiscard]] std::expected<void, Failure> write_all(const KafkaSettings& settings);
  [[nodiscard]] std::expected<void, Failure> write_file(const FedTopic& fed,
                                                        const KafkaSettings& settings);

  std::vector<FedTopic> topics_;
  Pace pace_;
  EventLog& log_;
  std::atomic<bool> feeding_;
  std::atomic<bool> stopping_{false};
  std::optional<Failure> failure_;
  std::thread thread_;
};

}  // namespace kaspar::cli
