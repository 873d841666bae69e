// What `test` puts in place of a pipeline's endpoints: sources that give what a test feeds, and
// sinks that remember what they get.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"

namespace kaspar::cli {

/// Whose turn it is: the feeds of a test reach the pipeline in their order, whichever source they
/// are for. What comes after a change of the source is read only once all before it is
/// acknowledged, so that the same test always has the same outcome. Thread-safe.
class FeedSchedule {
 public:
  /// The plan and the test outlive it. Feeds of sources that no chain reads are left out.
  FeedSchedule(const Plan& plan, const TestPlan& test);

  [[nodiscard]] const std::set<std::size_t>& sources() const noexcept { return sources_; }

  /// As Source::read and Source::acknowledge, for one endpoint.
  [[nodiscard]] ReadStatus read(std::size_t source, RecordBatch& batch, const ReadLimits& limits);
  void acknowledge(const RecordBatch& batch) noexcept;

 private:
  struct FedRecord {
    const TestFeed* feed = nullptr;
    std::int64_t offset = 0;
  };
  /// Records of one source without any of another between them.
  struct Turn {
    std::size_t source = 0;
    std::vector<FedRecord> records;
  };

  void fill(RecordBatch& batch, const ReadLimits& limits);
  [[nodiscard]] bool has_more(std::size_t source) const noexcept;

  const Plan& plan_;
  std::set<std::size_t> sources_;          // that chains read
  std::vector<std::string> topics_;        // by source
  std::vector<std::int64_t> now_;          // by source: a topic's records have a time; -1: none
  std::vector<std::string_view> headers_;  // by source: the line that names its columns
  std::vector<Turn> turns_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t turn_ = 0;
  std::size_t next_ = 0;            // record of the turn
  std::size_t unacknowledged_ = 0;  // records of the turn
};

/// One source endpoint of a test. The schedule outlives it.
class FeedSource final : public Source {
 public:
  FeedSource(FeedSchedule& schedule, std::size_t endpoint)
      : schedule_(schedule), endpoint_(endpoint) {}

  [[nodiscard]] std::expected<void, Failure> open() override { return {}; }
  [[nodiscard]] ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept override {
    return schedule_.read(endpoint_, batch, limits);
  }
  void serve(std::chrono::milliseconds) noexcept override {}
  void acknowledge(const RecordBatch& batch) noexcept override { schedule_.acknowledge(batch); }
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds) override {
    return {};
  }
  [[nodiscard]] const Failure& failure() const noexcept override { return failure_; }

 private:
  FeedSchedule& schedule_;
  std::size_t endpoint_;
  Failure failure_;
};

/// Why a row failed, as an error row tells it.
struct CapturedError {
  std::string stage;
  DiagnosticCode code = DiagnosticCode::K0902;
  std::string message;
  std::string topic;  // empty: the source has none
  std::int32_t partition = 0;
  std::int64_t offset = -1;
};

struct CapturedHeader {
  std::string name;
  std::optional<std::string> value;
};

/// A record that a sink got. An error row has the raw record as its value, and as headers those
/// that a Kafka sink writes.
struct CapturedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<CapturedHeader> headers;
  std::int64_t timestamp = -1;  // -1: the time of writing
  std::optional<CapturedError> error;
};

/// Keeps what it gets in `records`, which outlives it.
class CaptureSink final : public Sink {
 public:
  explicit CaptureSink(std::vector<CapturedRecord>& records) : records_(records) {}

  [[nodiscard]] std::expected<void, Failure> open() override { return {}; }
  void write(std::span<const OutputRecord> records, const WriteTerms&,
             DeliveryListener& listener) noexcept override;
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds) override {
    return {};
  }

 private:
  std::vector<CapturedRecord>& records_;
};

}  // namespace kaspar::cli
