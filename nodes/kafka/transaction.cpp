#include "nodes/kafka/transaction.hpp"

#include <algorithm>
#include <utility>

#include "nodes/kafka/fail_point.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;

/// A transaction of more is closed before its time.
constexpr std::size_t most_records = 100'000;
/// While something of a transaction is awaited, reading waits no longer.
constexpr milliseconds attentive{2};
/// So long a commit waits for records of the next transaction, where they are to be written with
/// it.
constexpr milliseconds for_early_records{200};

}  // namespace

PartitionList offset_list(const std::vector<PartitionOffset>& offsets) {
  PartitionList list = make_partition_list(offsets.size());
  for (const PartitionOffset& offset : offsets) {
    rd_kafka_topic_partition_list_add(list.get(), std::string{offset.topic}.c_str(),
                                      offset.partition)
        ->offset = offset.offset;
  }
  return list;
}

Transaction::Transaction(std::shared_ptr<TransactionalProducer> producer, OffsetTracker& tracker,
                         const RunContext& context)
    : producer_(std::move(producer)), tracker_(tracker), context_(context) {
  producer_->on_news([this] { news(); });
}

Transaction::~Transaction() { end(); }

void Transaction::end() { producer_->end(); }

std::uint64_t Transaction::stamp(std::size_t records) {
  open_records_ += records;
  const std::lock_guard lock(mutex_);
  ++batches_[open_];
  return open_;
}

void Transaction::acknowledge(std::uint64_t number) noexcept {
  const std::lock_guard lock(mutex_);
  const auto batches = batches_.find(number);
  if (batches == batches_.end()) return;  // aborted
  if (--batches->second != 0) return;
  news_ = true;
  changed_.notify_all();
}

void Transaction::news() noexcept {
  const std::lock_guard lock(mutex_);
  news_ = true;
  changed_.notify_all();
}

void Transaction::wait(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  changed_.wait_until(lock, until, [this] { return news_; });
  news_ = false;
}

std::size_t Transaction::unacknowledged(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto batches = batches_.find(number);
  return batches == batches_.end() ? 0 : batches->second;
}

bool Transaction::settled() const {
  return phase_ == Phase::Running && !closed_ && open_records_ == 0 &&
         tracker_.uncommitted().empty();
}

// Offsets without records advance too: the marker of somebody's transaction takes one.
bool Transaction::due() const {
  if (open_records_ >= most_records) return true;
  if (Clock::now() - opened_ < context_.settings.commit_interval) return false;
  return open_records_ != 0 || !tracker_.uncommitted().empty();
}

milliseconds Transaction::patience(milliseconds most) const {
  if (closed_ || phase_ != Phase::Running) return std::min(most, attentive);
  if (open_records_ == 0) return most;
  const auto left =
      std::chrono::ceil<milliseconds>(opened_ + context_.settings.commit_interval - Clock::now());
  return std::clamp(left, milliseconds{0}, most);
}

void Transaction::serve(rd_kafka_t* consumer) {
  take_reports();
  if (phase_ != Phase::Running || failure_) return;
  if (const auto trouble = producer_->trouble()) return give_up(trouble->why, trouble->refused);
  if (!closed_ && due()) {
    closed_ = open_++;
    open_records_ = 0;
    opened_ = Clock::now();
  }
  if (closed_) commit_closed(consumer);
}

void Transaction::commit_closed(rd_kafka_t* consumer) {
  if (asked_ || unacknowledged(*closed_) != 0) return;
  if (planted_bug("early_produce") && open_records_ == 0 &&
      Clock::now() - opened_ < for_early_records) {
    return;
  }
  committing_ = tracker_.uncommitted();
  GroupMetadata metadata{rd_kafka_consumer_group_metadata(consumer)};
  // Not a member at this moment: it will be one again, or is told that its partitions are lost.
  if (!committing_.empty() && generation_of(metadata) < 0) return;
  asked_ = true;
  asked_at_ = Clock::now();
  producer_->commit(
      {.number = *closed_, .offsets = offset_list(committing_), .metadata = std::move(metadata)});
}

void Transaction::take_reports() {
  while (auto report = producer_->take_report()) {
    switch (report->kind) {
      case TransactionalProducer::Report::Kind::Committed:
        if (phase_ != Phase::Running || closed_ != report->number) break;  // given up meanwhile
        for (const PartitionOffset& offset : committing_) {
          tracker_.committed(offset.index, offset.offset);
        }
        closed_.reset();
        asked_ = false;
        tracker_.commits().times.add(Clock::now() - asked_at_);
        {
          const std::lock_guard lock(mutex_);
          batches_.erase(report->number);
        }
        break;
      case TransactionalProducer::Report::Kind::Recovered:
        if (phase_ == Phase::Aborting && report->number == open_) phase_ = Phase::Aborted;
        break;
      case TransactionalProducer::Report::Kind::Failed:
        if (!failure_) failure_ = std::move(report->failure);
        break;
    }
  }
}

void Transaction::give_up(std::string_view why, bool refused) {
  context_.log.write(LogLevel::Warning, "transaction_aborted",
                     "a transaction was aborted; what was read since the last one is read again",
                     {{"reason", std::string{why}}});
  ++tracker_.commits().failures;
  ++open_;
  open_records_ = 0;
  closed_.reset();
  asked_ = false;
  refused_ = refused;
  phase_ = Phase::Aborting;
  {
    const std::lock_guard lock(mutex_);
    batches_.clear();
  }
  producer_->recover(open_);
}

void Transaction::rewound() noexcept {
  phase_ = Phase::Running;
  refused_ = false;
  opened_ = Clock::now();
}

void Transaction::hasten() noexcept {
  opened_ = std::min(opened_, Clock::now() - context_.settings.commit_interval);
}

bool Transaction::settle(rd_kafka_t* consumer, Clock::time_point deadline, Rebalances rebalances) {
  while (true) {
    hasten();
    serve(consumer);
    if (phase_ != Phase::Running || failure_) return false;
    if (settled()) return true;
    if (Clock::now() >= deadline) {
      abort("what was read could not be delivered in time", Clock::now() + attentive);
      return false;
    }
    wait(std::min(deadline, Clock::now() + milliseconds{50}));
    // A commit waits for the group's next generation, which waits for this member. Records have
    // queues of their own, which nobody reads any more.
    if (rebalances == Rebalances::AreServed) {
      const MessageHandle trouble{rd_kafka_consumer_poll(consumer, 0)};
    }
  }
}

bool Transaction::all_acknowledged() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(batches_, [](const auto& entry) { return entry.second == 0; });
}

bool Transaction::settle_finally(rd_kafka_t* consumer, Clock::time_point deadline) {
  if (phase_ == Phase::Running && !failure_ && !all_acknowledged()) {
    abort("something that was read was not delivered", deadline);
    return false;
  }
  if (settle(consumer, deadline, Rebalances::AreServed)) return true;
  if (Clock::now() >= deadline || refused_) return false;
  abort("the run ends", deadline);  // which has begun
  const RunSettings& settings = context_.settings;
  const bool asked_to_end = !settings.until_end && !settings.record_limit;
  return asked_to_end && phase_ == Phase::Aborted && !failure_;
}

void Transaction::abort(std::string_view why, Clock::time_point deadline) {
  if (phase_ == Phase::Running && !failure_) give_up(why);
  while (phase_ == Phase::Aborting && !failure_ && Clock::now() < deadline) {
    wait(std::min(deadline, Clock::now() + milliseconds{50}));
    take_reports();
  }
}

}  // namespace kaspar::nodes::kafka
