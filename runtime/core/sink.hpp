// Where records go. nodes/ implements it, the engine drives it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <limits>
#include <span>

#include "runtime/core/batch.hpp"
#include "runtime/core/issue.hpp"

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
  /// The transaction that the records belong to is aborted: nobody will see them, and their source
  /// reads again what they were made of.
  virtual void discarded() noexcept = 0;

 protected:
  ~DeliveryListener() = default;
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
  /// it is told how this ended, records and what they view until then or until they are copied.
  /// `transaction` is the one of the batch that
  /// they come from: a sink that takes no part in any need not look.
  virtual void write(std::span<const OutputRecord> records, std::uint64_t transaction,
                     DeliveryListener& listener) noexcept = 0;

  /// No more writes follow: everything written is pushed out, or reported as failed, within the
  /// time given.
  [[nodiscard]] virtual std::expected<void, Failure> close(std::chrono::milliseconds within) = 0;
};

}  // namespace kaspar
