// Where records come from. nodes/ implements it, the engine drives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>

#include "runtime/core/issue.hpp"
#include "runtime/core/record.hpp"

namespace kaspar {

enum class ReadStatus : std::uint8_t {
  Records,  // the batch holds at least one record
  Idle,     // nothing arrived within the wait
  End,      // every endpoint is read to its end; nothing follows
  Failed,   // failure() tells why
};

struct ReadLimits {
  std::size_t records = max_batch_records;
  std::size_t bytes = 0;  // keys and values; a first record larger than this is read alone
  std::chrono::milliseconds wait{100};
};

/// Serves one or more source endpoints of a plan (all Kafka sources share one consumer).
/// One engine thread calls everything but acknowledge(), which any thread calls.
class Source {
 public:
  Source() = default;
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  virtual ~Source() = default;

  /// Connects, checks that what it reads exists. Called once, before anything else.
  [[nodiscard]] virtual std::expected<void, Failure> open() = 0;

  /// Fills an empty batch with what has arrived, waiting for the first record only. The batch is of
  /// one endpoint; every record of a partition comes in offset order over successive batches.
  [[nodiscard]] virtual ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept = 0;

  /// Keeps connections and membership alive while there is no room to read or the run drains;
  /// returns after at most `wait`.
  virtual void serve(std::chrono::milliseconds wait) noexcept = 0;

  /// Every record of the batch was delivered, filtered, dropped by policy or dead-lettered. Called
  /// once for each batch read, in any order, from any thread; never for one of which something was
  /// lost or discarded. What its records view may be gone by then. Must not block. Spans of an
  /// older epoch are ignored.
  virtual void acknowledge(const RecordBatch& batch) noexcept = 0;

  /// In place of acknowledge(): a sink discarded some of the batch, which therefore has a
  /// transaction. The source reads it again, or its transaction does so by itself. `found`: the
  /// records that were refused are known, and fail when they come again.
  virtual void discard(const RecordBatch& batch, bool found) noexcept { (void)batch, (void)found; }

  /// No more reads follow. All batches that will ever be acknowledged have been: commits, leaves
  /// the group and disconnects within the time given.
  [[nodiscard]] virtual std::expected<void, Failure> close(std::chrono::milliseconds within) = 0;

  /// Why read() said Failed.
  [[nodiscard]] virtual const Failure& failure() const noexcept = 0;
};

}  // namespace kaspar
