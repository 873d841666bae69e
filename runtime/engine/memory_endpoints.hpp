// Sources, sinks, stages and plans in memory for the engine's tests.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/core/event_log.hpp"
#include "runtime/core/plan.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"

namespace kaspar::engine::test {

class SilentLog final : public EventLog {
 public:
  std::function<void(std::string_view event)> heard;  // from any thread

  void write(LogLevel, std::string_view event, std::string_view,
             std::initializer_list<LogField>) noexcept override {
    if (heard) heard(event);
  }
};

/// What a MemorySource is to do, and what became of its batches. Outlives the engine.
struct SourceScript {
  std::vector<std::vector<std::string>> batches;  // values; keys are k0, k1 …
  bool ends = true;                               // else idle for ever
  bool rewinds = false;                           // it reads again from a batch that is discarded
  std::optional<Failure> failure;                 // after the batches
  std::function<void(std::size_t batch)> on_acknowledge;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> acknowledged;  // times, by batch
  std::size_t read = 0;           // batches
  std::size_t records_read = 0;
  std::size_t served = 0;
  bool closed = false;
  bool acknowledged_after_close = false;

  void wait(const std::function<bool()>& until) {
    std::unique_lock lock(mutex);
    changed.wait(lock, until);
  }
};

class MemorySource final : public Source {
 public:
  explicit MemorySource(SourceScript& script, std::size_t endpoint = 0)
      : script_(script), endpoint_(endpoint) {
    script.acknowledged.resize(script.batches.size());
  }

  std::expected<void, Failure> open() override { return {}; }

  ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept override {
    std::unique_lock lock(script_.mutex);
    if (script_.read == script_.batches.size()) {
      if (script_.failure) return ReadStatus::Failed;
      const bool may_go_back = script_.rewinds && std::ranges::find(script_.acknowledged, 0) !=
                                                      script_.acknowledged.end();
      if (script_.ends && !may_go_back) return ReadStatus::End;
      lock.unlock();
      std::this_thread::sleep_for(std::min(limits.wait, std::chrono::milliseconds{2}));
      return ReadStatus::Idle;
    }
    auto& values = script_.batches[script_.read];
    if (!batch.storage) batch.storage = std::make_unique<Storage>();
    auto& storage = static_cast<Storage&>(*batch.storage);
    storage.keys.clear();
    storage.values.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                               values.size(), limits.records)));
    for (std::size_t i = 0; i < storage.values.size(); ++i) {
      storage.keys.push_back("k" + std::to_string(offset_ + static_cast<std::int64_t>(i)));
    }
    batch.endpoint = endpoint_;
    const auto first = offset_;
    for (std::size_t i = 0; i < storage.values.size(); ++i) {
      batch.records.push_back({.key = storage.keys[i],
                               .value = storage.values[i],
                               .offset = offset_++,
                               .has_key = true,
                               .has_value = true});
      batch.bytes += storage.keys[i].size() + storage.values[i].size();
    }
    batch.spans.push_back({.topic = "in",
                           .partition = 3,
                           .first_offset = first,
                           .last_offset = offset_ - 1,
                           .tracker = static_cast<std::uint32_t>(script_.read)});
    ++script_.read;
    script_.records_read += storage.values.size();
    script_.changed.notify_all();
    return ReadStatus::Records;
  }

  void serve(std::chrono::milliseconds wait) noexcept override {
    {
      const std::lock_guard lock(script_.mutex);
      ++script_.served;
      script_.changed.notify_all();
    }
    std::this_thread::sleep_for(std::min(wait, std::chrono::milliseconds{2}));
  }

  void acknowledge(const RecordBatch& batch) noexcept override {
    const std::size_t index = batch.spans.front().tracker;
    if (script_.on_acknowledge) script_.on_acknowledge(index);
    const std::lock_guard lock(script_.mutex);
    ++script_.acknowledged[index];
    if (script_.closed) script_.acknowledged_after_close = true;
    script_.changed.notify_all();
  }

  void discard(const RecordBatch& batch, bool) noexcept override {
    const std::lock_guard lock(script_.mutex);
    if (!script_.rewinds) return;
    script_.read = batch.spans.front().tracker;
    offset_ = batch.spans.front().first_offset;
  }

  std::expected<void, Failure> close(std::chrono::milliseconds) override {
    const std::lock_guard lock(script_.mutex);
    script_.closed = true;
    return {};
  }

  const Failure& failure() const noexcept override { return *script_.failure; }

 private:
  struct Storage final : RecordStorage {
    std::vector<std::string> keys;
    std::vector<std::string> values;
    void release() noexcept override {
      for (std::string& value : values) value.assign(value.size(), '#');  // shows late readers
    }
  };

  SourceScript& script_;
  std::size_t endpoint_;
  std::int64_t offset_ = 0;
};

struct Written {
  std::string key;
  std::string value;
  std::optional<DiagnosticCode> code;
  std::string stage;
  std::string topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
};

/// What a MemorySink is to do, and what it wrote. Outlives the engine.
struct SinkScript {
  // Copied: as Later, of a copy. Served: by who reads, or as Later.
  enum class Delivery { AtOnce, Later, Copied, Served, Held, Never };
  Delivery delivery = Delivery::AtOnce;
  std::size_t largest = std::numeric_limits<std::size_t>::max();
  std::optional<std::string> fail_at;     // a value
  std::optional<std::string> discard_at;  // a value
  std::optional<std::string> refuse_at;   // a value

  std::mutex mutex;
  std::condition_variable changed;
  bool held = true;                // Held: until release_held()
  std::vector<Written> written;    // handed to write()
  std::vector<Written> delivered;  // before the listener was told
  std::size_t served = 0;          // writes that a reader was told of
  bool overlapped = false;
  bool empty_write = false;
  bool written_after_close = false;

  void release_held() {
    const std::lock_guard lock(mutex);
    held = false;
    changed.notify_all();
  }
};

class MemorySink final : public Sink {
 public:
  explicit MemorySink(SinkScript& script) : script_(script) {
    if (script.delivery != SinkScript::Delivery::AtOnce) thread_ = std::thread([this] { work(); });
  }
  ~MemorySink() override { finish(); }

  std::expected<void, Failure> open() override { return {}; }
  std::size_t largest_record() const noexcept override { return script_.largest; }

  void write(std::span<const OutputRecord> records, const WriteTerms&,
             DeliveryListener& listener) noexcept override {
    if (writing_.exchange(true)) script_.overlapped = true;
    std::unique_lock lock(script_.mutex);
    if (records.empty()) script_.empty_write = true;
    if (closed_) script_.written_after_close = true;
    for (const OutputRecord& record : records) script_.written.push_back(copy(record));
    if (script_.delivery == SinkScript::Delivery::AtOnce) {
      lock.unlock();
      tell(copies(records), listener);
    } else if (script_.delivery != SinkScript::Delivery::Never) {
      queue_.emplace_back(records, &listener);
      script_.changed.notify_all();
    }
    writing_ = false;
  }

  void serve() noexcept override {
    if (script_.delivery != SinkScript::Delivery::Served) return;
    const std::lock_guard telling(telling_);
    std::unique_lock lock(script_.mutex);
    while (!queue_.empty()) {
      const auto [records, listener] = queue_.front();
      queue_.pop_front();
      lock.unlock();
      tell(copies(records), *listener);
      lock.lock();
      ++script_.served;
    }
  }

  std::expected<void, Failure> close(std::chrono::milliseconds) override {
    finish();
    return {};
  }

 private:
  static Written copy(const OutputRecord& record) {
    Written written{std::string{record.key}, std::string{record.value}, {}, {}, {}, -1, -1};
    if (const DeadLetter* letter = record.dead_letter) {
      written.code = letter->code;
      written.stage = letter->stage;
      written.topic = letter->topic;
      written.partition = letter->partition;
      written.offset = letter->offset;
    }
    return written;
  }

  static std::vector<Written> copies(std::span<const OutputRecord> records) {
    std::vector<Written> made;
    for (const OutputRecord& record : records) made.push_back(copy(record));
    return made;
  }

  void tell(const std::vector<Written>& records, DeliveryListener& listener) noexcept {
    for (const Written& record : records) {
      if (script_.fail_at && record.value == *script_.fail_at) {
        listener.failed({.message = "the disk is full"});
        return;
      }
      if (script_.discard_at && record.value == *script_.discard_at) return listener.discarded();
      if (script_.refuse_at && record.value == *script_.refuse_at) {
        const std::size_t index = static_cast<std::size_t>(&record - records.data());
        return listener.refused({&index, 1}, "no room for b");
      }
    }
    {
      const std::lock_guard lock(script_.mutex);
      script_.delivered.insert(script_.delivered.end(), records.begin(), records.end());
    }
    listener.delivered();
  }

  void work() {
    std::unique_lock lock(script_.mutex);
    bool late = false;  // who reads had its time
    while (true) {
      const bool holds = script_.delivery == SinkScript::Delivery::Held;
      script_.changed.wait(
          lock, [&] { return closed_ || (!queue_.empty() && !(holds && script_.held)); });
      if (script_.delivery == SinkScript::Delivery::Served && !late) {
        script_.changed.wait_for(lock, std::chrono::milliseconds{2}, [&] { return closed_; });
      }
      const bool refused = holds && script_.held;
      lock.unlock();
      const std::lock_guard telling(telling_);
      lock.lock();
      if (queue_.empty() && closed_) return;
      late = !queue_.empty();
      if (!late) continue;  // who reads was told
      const auto [records, listener] = queue_.front();
      queue_.pop_front();
      lock.unlock();
      if (refused) {
        listener->failed({.message = "not delivered in time"});
      } else {
        const std::vector<Written> own = copies(records);
        if (script_.delivery == SinkScript::Delivery::Copied) {
          listener->copied();
          std::this_thread::yield();
        }
        tell(own, *listener);
      }
      lock.lock();
    }
  }

  void finish() {
    {
      const std::lock_guard lock(script_.mutex);
      closed_ = true;
      script_.changed.notify_all();
    }
    if (thread_.joinable()) thread_.join();
  }

  SinkScript& script_;
  std::atomic<bool> writing_{false};
  std::mutex telling_;  // one thread at a time tells, in order
  bool closed_ = false;
  std::deque<std::pair<std::span<const OutputRecord>, DeliveryListener*>> queue_;
  std::thread thread_;
};

/// Takes a time that differs from batch to batch, so that they overtake each other.
class UnevenWork final : public Operator {
 public:
  void process(Batch& batch, OperatorState*) const noexcept override {
    const auto first = static_cast<std::uint64_t>(batch.record(0).offset);
    const std::uint64_t rounds = first * 0x9E3779B97F4A7C15ull >> 46;
    for (std::uint64_t i = 0; i < rounds; ++i) sum_.fetch_add(i, std::memory_order_relaxed);
  }

 private:
  mutable std::atomic<std::uint64_t> sum_{0};
};

/// "bad…" fails, "skip…" is filtered.
class Sieve final : public Operator {
 public:
  void process(Batch& batch, OperatorState*) const noexcept override {
    for (const Row row : batch.alive()) {
      const std::string_view value = batch.record(row).value;
      if (value.starts_with("bad")) batch.fail(row, DiagnosticCode::K0902, "bad field");
      if (value.starts_with("skip")) batch.discard(row);
    }
  }
};

class ToOutput final : public Operator {
 public:
  void process(Batch& batch, OperatorState*) const noexcept override {
    for (const Row row : batch.alive()) {
      const Record& record = batch.record(row);
      batch.outputs().push_back(
          {.key = record.key, .value = record.value, .row = row, .has_key = true});
    }
  }
};

template <class Work>
std::unique_ptr<Operator> make(const StageBinding&) {
  return std::make_unique<Work>();
}

inline const NodeDescriptor uneven_node{.name = "uneven", .make_operator = make<UnevenWork>};
inline const NodeDescriptor sieve_node{.name = "sieve", .make_operator = make<Sieve>};
inline const NodeDescriptor to_node{.name = "to", .make_operator = make<ToOutput>};

/// uneven |> sieve |> to, from source 0 to `sink`, in two segments.
inline ChainPlan make_chain(std::size_t sink, ErrorPolicy policy = {}) {
  ChainPlan chain{.inputs = {{.source = 0}}, .sink = sink};
  for (const NodeDescriptor* node : {&uneven_node, &sieve_node, &to_node}) {
    StagePlan& stage = chain.stages.emplace_back();
    stage.word = node->name;
    stage.node = node;
    stage.on_error = policy;
  }
  chain.slots = {{.name = "x", .type = {.scalar = ScalarType::F32, .width = 4}}};
  chain.segments = {{0, 1}, {1, 3}};
  return chain;
}

inline Plan make_plan(std::vector<ChainPlan> chains, std::size_t sinks) {
  Plan plan{.file = "test.pipe"};
  plan.sources.push_back({.name = "in"});
  for (std::size_t i = 0; i < sinks; ++i) plan.sinks.push_back({.name = "out"});
  plan.chains = std::move(chains);
  return plan;
}

}  // namespace kaspar::engine::test
