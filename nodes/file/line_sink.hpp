// Records to a file or standard output: one a line, written by a thread of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/core/sink.hpp"

namespace kaspar::nodes::file {

/// The file is opened in place and truncated. After an I/O error every further write is reported
/// as failed. Sinks of standard output never mix their lines.
class LineSink final : public Sink {
 public:
  /// `path` empty: standard output.
  LineSink(std::string path, bool show_key) : path_(std::move(path)), show_key_(show_key) {}
  ~LineSink() override;

  [[nodiscard]] std::expected<void, Failure> open() override;
  void write(std::span<const OutputRecord> records, const WriteTerms&,
             DeliveryListener& listener) noexcept override;
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within) override;

 private:
  struct Job {
    std::span<const OutputRecord> records;
    DeliveryListener* listener = nullptr;
  };

  void run() noexcept;
  /// Writes all of `text`, which ends with a line; sets failure_ where that is impossible.
  void push(std::string_view text);
  void stop();
  [[nodiscard]] std::string name() const;

  std::string path_;
  bool show_key_;
  int descriptor_ = -1;
  bool regular_ = false;
  std::thread writer_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;              // guarded by mutex_
  bool closing_ = false;              // guarded by mutex_
  bool finished_ = false;             // guarded by mutex_
  std::atomic<bool> abandon_{false};  // the time to close is over
  std::optional<Failure> failure_;    // the writer's; others read it after the join
};

}  // namespace kaspar::nodes::file
