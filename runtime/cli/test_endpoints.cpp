#include "runtime/cli/test_endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

namespace kaspar::cli {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Views go to the test itself, which outlives every batch.
class FedStorage final : public RecordStorage {
 public:
  FedStorage() { feeds_.reserve(max_batch_records); }

  void add(const TestFeed& feed) { feeds_.push_back(&feed); }
  void release() noexcept override { feeds_.clear(); }
  void headers(std::size_t row, std::vector<Header>& headers) const override {
    for (const TestHeader& header : feeds_[row]->headers) {
      headers.push_back({.name = header.name,
                         .value = header.value.text,
                         .has_value = header.value.kind != TestValue::Kind::Null});
    }
  }

 private:
  std::vector<const TestFeed*> feeds_;
};

CapturedRecord capture(const OutputRecord& record) {
  CapturedRecord captured{.timestamp = record.timestamp};
  if (record.has_key) captured.key.emplace(record.key);
  if (record.has_value) captured.value.emplace(record.value);
  for (const Header& header : record.headers) {
    captured.headers.push_back({.name = std::string{header.name}});
    if (header.has_value) captured.headers.back().value.emplace(header.value);
  }
  if (const DeadLetter* letter = record.dead_letter) {
    captured.error = CapturedError{.stage = std::string{letter->stage},
                                   .code = letter->code,
                                   .message = std::string{letter->message},
                                   .topic = std::string{letter->topic},
                                   .partition = letter->partition,
                                   .offset = letter->offset};
    const auto add = [&](std::string_view name, std::string value) {
      captured.headers.push_back({.name = std::string{name}, .value = std::move(value)});
    };
    add("kaspar.stage", captured.error->stage);
    add("kaspar.code", std::string{name_of(letter->code)});
    add("kaspar.message", captured.error->message);
    if (!letter->topic.empty()) {
      add("kaspar.topic", captured.error->topic);
      add("kaspar.partition", fmt::to_string(letter->partition));
    }
    if (letter->offset >= 0) add("kaspar.offset", fmt::to_string(letter->offset));
  }
  return captured;
}

}  // namespace

FeedSchedule::FeedSchedule(const Plan& plan, const TestPlan& test)
    : plan_(plan), headers_(plan.sources.size()) {
  for (const ChainPlan& chain : plan.chains) {
    for (const ChainInput& input : chain.inputs) {
      if (input.source) sources_.insert(*input.source);
    }
  }
  const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now().time_since_epoch());
  for (const EndpointPlan& source : plan.sources) {
    topics_.push_back(string_param(source.params, "topic"));
    now_.push_back(topics_.back().empty() ? -1 : now.count());
  }
  std::vector<std::int64_t> offsets(plan.sources.size(), 0);
  for (const TestFeed& feed : test.feeds) {
    const std::int64_t offset = offsets[feed.source]++;
    if (!sources_.contains(feed.source)) continue;
    if (offset == 0 && bool_param(plan.sources[feed.source].params, "header", false)) {
      std::string_view line = feed.value.text;
      if (line.starts_with(byte_order_mark)) line.remove_prefix(byte_order_mark.size());
      headers_[feed.source] = line;
      continue;
    }
    if (turns_.empty() || turns_.back().source != feed.source) {
      turns_.push_back({.source = feed.source, .records = {}});
    }
    turns_.back().records.push_back({.feed = &feed, .offset = offset});
  }
}

bool FeedSchedule::has_more(std::size_t source) const noexcept {
  for (std::size_t i = turn_; i < turns_.size(); ++i) {
    if (turns_[i].source == source && (i > turn_ || next_ < turns_[i].records.size())) return true;
  }
  return false;
}

ReadStatus FeedSchedule::read(std::size_t source, RecordBatch& batch, const ReadLimits& limits) {
  std::unique_lock lock(mutex_);
  const auto its_turn = [&] {
    return turn_ < turns_.size() && turns_[turn_].source == source &&
           next_ < turns_[turn_].records.size();
  };
  if (!has_more(source)) return ReadStatus::End;
  if (!changed_.wait_for(lock, limits.wait, its_turn)) return ReadStatus::Idle;
  fill(batch, limits);
  return ReadStatus::Records;
}

void FeedSchedule::fill(RecordBatch& batch, const ReadLimits& limits) {
  const Turn& turn = turns_[turn_];
  if (!batch.storage) batch.storage = std::make_unique<FedStorage>();
  auto& storage = static_cast<FedStorage&>(*batch.storage);
  const std::size_t most = std::clamp(limits.records, std::size_t{1}, max_batch_records);
  const std::int64_t first = turn.records[next_].offset;
  std::int64_t last = first;
  for (; next_ < turn.records.size() && batch.records.size() < most; ++next_) {
    const TestFeed& feed = *turn.records[next_].feed;
    const std::size_t bytes = feed.key.text.size() + feed.value.text.size();
    if (!batch.records.empty() && batch.bytes + bytes > limits.bytes) break;
    last = turn.records[next_].offset;
    storage.add(feed);
    batch.bytes += bytes;
    batch.records.push_back({.key = feed.key.text,
                             .value = feed.value.text,
                             .timestamp = feed.timestamp == -1 ? now_[turn.source] : feed.timestamp,
                             .offset = last,
                             .has_key = feed.key.kind != TestValue::Kind::Null,
                             .has_value = feed.value.kind != TestValue::Kind::Null});
  }
  unacknowledged_ += batch.records.size();
  batch.endpoint = turn.source;
  batch.header = headers_[turn.source];
  batch.spans.push_back(
      {.topic = topics_[turn.source], .first_offset = first, .last_offset = last});
}

void FeedSchedule::acknowledge(const RecordBatch& batch) noexcept {
  const std::lock_guard lock(mutex_);
  unacknowledged_ -= batch.records.size();
  if (unacknowledged_ != 0 || next_ < turns_[turn_].records.size()) return;
  ++turn_;
  next_ = 0;
  changed_.notify_all();
}

void CaptureSink::write(std::span<const OutputRecord> records, const WriteTerms&,
                        DeliveryListener& listener) noexcept {
  for (const OutputRecord& record : records) records_.push_back(capture(record));
  listener.delivered();
}

}  // namespace kaspar::cli
