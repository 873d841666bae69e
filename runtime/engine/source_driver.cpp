#include "runtime/engine/source_driver.hpp"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <utility>

namespace kaspar::engine {

using std::chrono::milliseconds;

namespace {

/// A chain in place is run from within the one above it.
constexpr std::size_t most_paths_in_place = 16;

}  // namespace

SourceDriver::SourceDriver(RunState& state, std::unique_ptr<Source> source,
                           std::map<std::size_t, Lane*> lanes, std::vector<Sink*> sinks,
                           std::size_t capacity, std::size_t payload_bytes)
    : state_(state),
      source_(std::move(source)),
      observable_(dynamic_cast<ObservableSource*>(source_.get())),
      lanes_(std::move(lanes)),
      sinks_(std::move(sinks)),
      capacity_(capacity),
      payload_bytes_(payload_bytes) {
  for (const auto& [endpoint, lane] : lanes_) {
    column_bytes_ = std::max(column_bytes_, lane->column_bytes);
    next_sequence_[endpoint] = 0;
  }
}

void SourceDriver::start() {
  thread_ = std::thread([this] { work(); });
}

void SourceDriver::join() {
  if (thread_.joinable()) thread_.join();
}

void SourceDriver::work() noexcept {
  read_until_stopped();
  {
    const std::lock_guard lock(state_.mutex);
    --state_.reading;
    state_.changed.notify_all();
  }
  while (!state_.closing) {
    seen(Clock::now());
    source_->serve(milliseconds{20});
  }
  {
    const std::lock_guard lock(acknowledging_);
    closed_ = true;
  }
  milliseconds within = state_.context.settings.shutdown_deadline;
  {
    const std::lock_guard lock(state_.mutex);
    if (state_.stopped_at) {
      const auto spent =
          std::chrono::duration_cast<milliseconds>(Clock::now() - *state_.stopped_at);
      within = std::max(milliseconds{100}, within - spent);
    }
  }
  if (auto closed = source_->close(within); !closed) state_.fail(std::move(closed.error()));
}

// Records that this read may bring, taken from what the record limit leaves; 0: others hold it all.
std::size_t SourceDriver::claim_records() noexcept {
  std::uint64_t left = state_.unread;
  while (true) {
    const std::uint64_t claim = std::min<std::uint64_t>(left, capacity_);
    if (state_.unread.compare_exchange_weak(left, left - claim)) {
      return static_cast<std::size_t>(claim);
    }
  }
}

// What a sink discards is to be read again, so reading is over when all is delivered, or is not in
// the time that ending may take.
bool SourceDriver::limit_reached(std::optional<Clock::time_point>& since) {
  const auto limit = state_.context.settings.record_limit;
  if (!limit || state_.records_read < *limit) return false;
  if (!since) since = Clock::now();
  for (Sink* sink : sinks_) sink->listen();
  while (!state_.stopping && Clock::now() - *since < state_.context.settings.shutdown_deadline) {
    {
      const std::lock_guard lock(state_.mutex);
      if (state_.flights == 0) break;
    }
    source_->serve(milliseconds{5});
  }
  return state_.records_read >= *limit;
}

bool SourceDriver::reserve() {
  if (state_.credits.reserve(reservation(), milliseconds{0})) return true;
  for (Sink* sink : sinks_) sink->listen();
  if (state_.credits.reserve(reservation(), milliseconds{5})) return true;
  source_->serve(milliseconds{0});
  return false;
}

void SourceDriver::read_until_stopped() {
  std::optional<Clock::time_point> limit_since;
  while (!state_.stopping) {
    seen(Clock::now());
    for (Sink* sink : sinks_) sink->serve();
    if (limit_reached(limit_since)) return;
    if (!reserve()) continue;
    const std::size_t claimed = claim_records();
    if (claimed == 0) {
      state_.credits.release(reservation());
      source_->serve(milliseconds{5});
      continue;
    }
    Flight* flight = flights_.take([this] {
      auto made = std::make_unique<Flight>();
      made->owner = this;
      made->records.records.reserve(max_batch_records);
      return made;
    });
    const ReadStatus status = source_->read(
        flight->records, {.records = claimed, .bytes = payload_bytes_, .wait = milliseconds{100}});
    const std::size_t count = flight->records.records.size();
    state_.unread += claimed - std::min(count, claimed);
    if (status == ReadStatus::Records && count != 0) {
      if (count > claimed) std::abort();  // there are no columns for more
      flight->credit = column_bytes_ + flight->records.bytes;
      state_.credits.adjust(reservation(), flight->credit);
      state_.records_read += count;
      send(*flight);
      continue;
    }
    state_.credits.release(reservation());
    flights_.give_back(flight);
    if (status == ReadStatus::End) return;
    if (status == ReadStatus::Failed) {
      state_.fail(source_->failure());
      return;
    }
  }
}

void SourceDriver::send(Flight& flight) {
  const auto lane = lanes_.find(flight.records.endpoint);
  if (lane == lanes_.end()) std::abort();  // an endpoint that the source was not made for
  flight.records.sequence = next_sequence_[flight.records.endpoint]++;
  flight.read_at = Clock::now();
  flight.first_timestamp = flight.records.records.front().timestamp;
  lane->second->records_read.fetch_add(flight.records.records.size(), std::memory_order_relaxed);
  lane->second->begin(flight);
  {
    const std::lock_guard lock(state_.mutex);
    ++state_.flights;
  }
  InPlace& in_place = in_place_[flight.records.endpoint];
  const std::size_t rows = flight.records.records.size();
  flight.in_place = lane->second->paths.size() <= most_paths_in_place && in_place.takes(rows);
  if (!flight.in_place || !in_place.measures(rows)) return launch(flight);
  const auto begun = InPlace::now();
  launch(flight);  // it may be gone then
  in_place.took(rows, InPlace::now() - begun);
}

// Of a batch's records the first one was waited for longest.
void SourceDriver::observe(const Flight& flight) noexcept {
  state_.batch_times.add(Clock::now() - flight.read_at);
  if (flight.first_timestamp < 0) return;
  state_.end_to_end_times.add(std::chrono::system_clock::now().time_since_epoch() -
                              milliseconds{flight.first_timestamp});
}

void SourceDriver::finish(Flight& flight) noexcept {
  bool lost = flight.lost;
  {
    const std::shared_lock lock(acknowledging_);
    if (closed_ && !flight.discarded) lost = true;
    if (flight.discarded) {
      // They are read again, and counted then.
      state_.records_read -= flight.records.records.size();
      state_.unread += flight.records.records.size();
      if (!closed_) source_->discard(flight.records, flight.refused);
    } else if (!lost) {
      source_->acknowledge(flight.records);
      observe(flight);
      if (!state_.refusals.empty()) state_.refusals.forget(flight.records);
    }
  }
  const std::size_t credit = flight.credit;
  flight.records.clear();
  flights_.give_back(&flight);
  state_.credits.release(credit);
  const std::lock_guard lock(state_.mutex);
  if (lost) state_.lost = true;
  ++state_.finished;
  // Nobody waits for that while records are read, and at a low rate each is the last one.
  if (--state_.flights == 0 && state_.reading == 0) state_.changed.notify_all();
}

}  // namespace kaspar::engine
