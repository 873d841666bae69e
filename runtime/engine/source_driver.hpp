// The thread that reads one source and sends its batches into the graph.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "runtime/core/observable_source.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"
#include "runtime/engine/in_place.hpp"
#include "runtime/engine/lane.hpp"
#include "runtime/engine/pool.hpp"
#include "runtime/engine/run_state.hpp"
#include "runtime/engine/ticket.hpp"

namespace kaspar::engine {

class SourceDriver final : public FlightOwner {
 public:
  /// `lanes` by source endpoint: those that this source may read. `sinks` are served between reads.
  /// `capacity`: rows of a batch.
  SourceDriver(RunState& state, std::unique_ptr<Source> source, std::map<std::size_t, Lane*> lanes,
               std::vector<Sink*> sinks, std::size_t capacity, std::size_t payload_bytes);

  [[nodiscard]] Source& source() noexcept { return *source_; }
  /// The source, if it has something to tell.
  [[nodiscard]] ObservableSource* observable() const noexcept { return observable_; }

  /// Credit that a read takes: columns of all tickets of the widest lane, and the payload.
  [[nodiscard]] std::size_t reservation() const noexcept { return column_bytes_ + payload_bytes_; }

  void start();
  /// Waits until the source is closed (after RunState::closing).
  void join();

  /// How long ago its thread was seen at work.
  [[nodiscard]] std::chrono::nanoseconds idle() const noexcept {
    return Clock::now().time_since_epoch() - std::chrono::nanoseconds{seen_};
  }

  /// Acknowledges the flight unless something of it was lost or discarded.
  void finish(Flight& flight) noexcept override;

 private:
  void work() noexcept;
  void read_until_stopped();
  /// A batch may be read; else, after some time, the source was served.
  [[nodiscard]] bool reserve();
  /// `since` is when that was so first.
  [[nodiscard]] bool limit_reached(std::optional<Clock::time_point>& since);
  void send(Flight& flight);
  void observe(const Flight& flight) noexcept;
  void seen(Clock::time_point now) noexcept {
    seen_.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t claim_records() noexcept;

  RunState& state_;
  std::unique_ptr<Source> source_;
  ObservableSource* observable_;
  std::map<std::size_t, Lane*> lanes_;
  std::vector<Sink*> sinks_;
  std::map<std::size_t, std::uint64_t> next_sequence_;
  std::map<std::size_t, InPlace> in_place_;
  std::size_t capacity_;
  std::size_t payload_bytes_;
  std::size_t column_bytes_ = 0;
  Pool<Flight> flights_;
  std::shared_mutex acknowledging_;  // exclusive: while acknowledgements are shut off
  bool closed_ = false;
  std::atomic<std::int64_t> seen_ = Clock::now().time_since_epoch().count();
  std::thread thread_;
};

}  // namespace kaspar::engine
