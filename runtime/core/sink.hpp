// Where records go. nodes/ implements it, the engine drives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>
#include <string_view>

#include "runtime/core/batch.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/record.hpp"

namespace kaspar {

/// Told by a sink how a write() ended, exactly once: from any thread, also from within write().
class DeliveryListener {
 public:
  /// Told once at most, and before how it ended: the sink has its own copy of all it needs, so that
  /// the records and what they view may go while the delivery is still waited for.
  virtual void copied() noexcept {}

  virtual void delivered() noexcept = 0;
  /// At least one record was not written and never will be; the run ends without acknowledging it.
  virtual void failed(Failure failure) noexcept = 0;
  /// Not all of the records are delivered, and their source reads again what they were made of:
  /// their transaction is aborted, or, at least once, some record before or among them was refused.
  virtual void discarded() noexcept = 0;
  /// Discarded, because of what the records with these indexes are: they are not to be written
  /// again. If they were copied, that is not to be found out: they are written with caution then.
  virtual void refused(std::span<const std::size_t> records, std::string_view why) noexcept = 0;

 protected:
  ~DeliveryListener() = default;
};

/// What the batch that records come from says about writing them (see RecordBatch).
struct WriteTerms {
  std::uint64_t transaction = 0;
  Caution caution = Caution::None;
};

/// One sink endpoint of a plan.
class Sink {
 public:
  Sink() = default;
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;
  virtual ~Sink() = default;

  /// Connects, checks that what it writes to exists. Called once, before anything else.
  [[nodiscard]] virtual std::expected<void, Failure> open() = 0;

  /// The largest record (key, value and headers, in bytes) that it takes. A larger one fails its
  /// row with K0908 before it is written.
  [[nodiscard]] virtual std::size_t largest_record() const noexcept {
    return std::numeric_limits<std::size_t>::max();
  }

  /// Writes the records in this order, after those of earlier calls. Called by one thread at a
  /// time, and never blocks: a sink that may wait has a thread of its own. The listener lives until
  /// it is told how this ended, records and what they view until then or until they are copied. A
  /// sink that never discards need not look at the terms.
  virtual void write(std::span<const OutputRecord> records, const WriteTerms& terms,
                     DeliveryListener& listener) noexcept = 0;

  /// Called between reads by a thread that reads, and may write, with no lock held: listeners may
  /// be told from here too, so that no other thread has to wake for it. Never blocks.
  virtual void serve() noexcept {}
  /// The same thread is about to wait for deliveries: the sink tells of them by itself.
  virtual void listen() noexcept {}

  /// No more writes follow: everything written is pushed out, or reported as failed, within the
  /// time given.
  [[nodiscard]] virtual std::expected<void, Failure> close(std::chrono::milliseconds within) = 0;
};

}  // namespace kaspar
