// The end of a lane: from its concurrent tickets, back in order, into one sink.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "runtime/core/record.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/engine/edge.hpp"
#include "runtime/engine/run_state.hpp"

namespace kaspar::engine {

/// A sink and what guards it: several edges may end in it, one writes at a time.
struct SinkPort {
  std::unique_ptr<Sink> sink;
  std::mutex writing;
  std::atomic<bool> broken{false};       // it failed: nothing more is written
  std::atomic<bool> failed_once{false};  // of a best-effort one: it was told
  // Once a shipment:
  std::atomic<std::uint64_t> records{0};  // delivered, without dead letters
  std::atomic<std::uint64_t> dead_letters{0};
  std::atomic<std::uint64_t> unconfirmed{0};
  bool best_effort = true;  // only best-effort chains end in it
  bool queued_only = true;  // all that it gets comes from queues
};

/// Merges the consignments of a flight by row: what comes from different arms of a route, and dead
/// letters, keep the order of their records.
class SinkEdge final : public Edge {
 public:
  SinkEdge(std::size_t index, std::size_t window, RunState& state, SinkPort& port)
      : Edge(index, window), state_(state), port_(port) {}

  [[nodiscard]] std::size_t add_place() noexcept { return places_++; }

  void copied(Shipment& shipment) noexcept;
  void delivered(Shipment& shipment) noexcept;
  void failed(Shipment& shipment, Failure failure) noexcept;
  void discarded(Shipment& shipment) noexcept;
  void refused(Shipment& shipment, std::span<const std::size_t> indexes,
               std::string_view why) noexcept;

 private:
  void pass_on(Shipment& shipment) noexcept override;
  void gather(Shipment& shipment);
  void merge(Shipment& shipment);
  void give_up(Shipment& shipment) noexcept;
  /// The shipment's records are not waited for any more.
  void answered(const Shipment& shipment) noexcept;
  [[nodiscard]] static const Consignment& part_of(const Shipment& shipment,
                                                  const OutputRecord& record) noexcept;

  RunState& state_;
  SinkPort& port_;
  std::array<std::uint32_t, max_batch_records + 1> starts_{};  // of each row, while merging
};

}  // namespace kaspar::engine
