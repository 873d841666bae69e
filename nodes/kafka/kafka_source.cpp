#include "nodes/kafka/kafka_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <typeinfo>
#include <utility>

namespace kaspar::nodes::kafka {

using std::chrono::milliseconds;

namespace {

/// While nothing may be read: what was aborted is about to be rewound.
constexpr milliseconds between_transactions{5};
/// Where reading is to end, that may be as soon as something is delivered.
constexpr milliseconds near_the_end{10};
/// After so few at a time, the next one is likely to be waited for.
constexpr std::size_t few_messages = 16;
/// While a batch that is read with care is under way.
constexpr milliseconds between_careful{1};
/// Of the first such batch, at most; each that is taken may be followed by one twice as large. Also
/// where each record is written by itself: all of them are one transaction.
constexpr std::size_t careful_records = 100;

}  // namespace

KafkaSource::KafkaSource(std::string group, std::vector<Subscription> subscriptions,
                         const KafkaSettings& cluster, const RunContext& context,
                         std::shared_ptr<TransactionalProducer> producer)
    : cluster_(cluster),
      context_(context),
      transaction_(producer ? std::make_unique<Transaction>(std::move(producer), tracker_, context)
                            : nullptr),
      consumer_(std::move(group), std::move(subscriptions), tracker_, transaction_.get(), cluster,
                context),
      view_(consumer_, tracker_),
      probe_(cluster, context.log),
      ends_(context.settings, probe_),
      fetched_(max_batch_records) {}

KafkaSource::~KafkaSource() = default;

std::expected<void, Failure> KafkaSource::open() {
  if (!transactions_refused(rd_kafka_version()).empty()) {
    context_.log.write(LogLevel::Warning, "old_librdkafka",
                       "this librdkafka may read records again when partitions are handed over",
                       {{"version", rd_kafka_version_str()}});
  }
  if (auto connected = probe_.connect(); !connected) return connected;
  std::vector<int> counts;
  for (const Subscription& subscription : consumer_.subscriptions()) {
    auto count = probe_.existing(subscription.topic, "create it, or correct the source's `topic`");
    if (!count) return std::unexpected(std::move(count.error()));
    counts.push_back(*count);
  }
  consumer_.set_partition_counts(counts);
  const bool embedded = probe_.embedded();
  if (!context_.settings.until_end) probe_.disconnect();
  return consumer_.open(embedded);
}

bool KafkaSource::failed() {
  const auto& failure = consumer_.failure();
  if (failure) failure_ = *failure;
  return failure.has_value();
}

bool KafkaSource::settled() const {
  return transaction_ ? transaction_->settled() : tracker_.idle();
}

bool KafkaSource::ready() {
  if (!transaction_ && tracker_.must_rewind()) {
    consumer_.rewind_discarded();
    if (tracker_.must_rewind()) return false;
  }
  if (transaction_ && !transaction_->readable()) return false;
  return !consumer_.careful() || settled();
}

ReadStatus KafkaSource::read(RecordBatch& batch, const ReadLimits& given) noexcept {
  consumer_.serve(milliseconds{0});
  if (failed()) return ReadStatus::Failed;
  if (!ready()) {
    consumer_.serve(consumer_.careful() ? between_careful : between_transactions);
    return failed() ? ReadStatus::Failed : ReadStatus::Idle;
  }
  ReadLimits limits = given;
  batch.caution = consumer_.caution();
  if (batch.caution != Caution::Batch) next_careful_ = careful_records;
  if (batch.caution != Caution::None) limits.records = std::min(limits.records, next_careful_);
  if (waiting_.empty()) {
    fetch(limits);
    if (failed()) return ReadStatus::Failed;
  }
  fill(batch, limits);
  if (!batch.records.empty()) {
    if (batch.caution == Caution::Batch) {
      next_careful_ = std::min(2 * next_careful_, max_batch_records);
    }
    return ReadStatus::Records;
  }
  // What is discarded has to be read again.
  if (!settled()) return ReadStatus::Idle;
  return waiting_.empty() && ends_.reached(consumer_, tracker_) ? ReadStatus::End
                                                                : ReadStatus::Idle;
}

// The first message may be waited for, the others have arrived already or stay for the next time.
void KafkaSource::fetch(const ReadLimits& limits) {
  last_topic_ = nullptr;  // a topic's handle may have been made anew
  const std::size_t fitting = std::max<std::size_t>(1, limits.bytes / record_bytes_);
  const std::size_t most = std::min({limits.records, max_batch_records, fitting});
  const auto take = [&](milliseconds wait, std::size_t first, std::size_t count) {
    const ssize_t got = rd_kafka_consume_batch_queue(
        consumer_.messages(), static_cast<int>(wait.count()), fetched_.data() + first, count);
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  };
  std::size_t count = few_fetched_ ? 0 : take(milliseconds{0}, 0, most);
  if (count == 0) {
    milliseconds wait = transaction_ ? transaction_->patience(limits.wait) : limits.wait;
    if (context_.settings.until_end) wait = std::min(wait, near_the_end);
    count = take(wait, 0, 1);
    if (count != 0 && most > 1) count += take(milliseconds{0}, 1, most - 1);
  }
  few_fetched_ = count <= few_messages;
  for (std::size_t i = 0; i < count; ++i) sort_in(MessageHandle{fetched_[i]});
}

void KafkaSource::sort_in(MessageHandle message) {
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
      message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    const std::uint32_t index = index_of(*message);
    auto& assignments = consumer_.assignments();
    if (index >= assignments.size() || !assignments[index]) return;  // given up meanwhile
    const std::uint64_t epoch = assignments[index]->epoch;
    assignments[index]->fetched = true;
    waiting_.push_back({.message = std::move(message), .index = index, .epoch = epoch});
    return;
  }
  consumer_.handle_error(message->err, rd_kafka_message_errstr(message.get()));
}

std::uint32_t KafkaSource::index_of(const rd_kafka_message_t& message) {
  if (message.rkt != last_topic_ || message.partition != last_partition_) {
    last_index_ = tracker_.index_of(rd_kafka_topic_name(message.rkt), message.partition);
    last_topic_ = message.rkt;
    last_partition_ = message.partition;
  }
  return last_index_;
}

void KafkaSource::fill(RecordBatch& batch, const ReadLimits& limits) {
  if (!batch.storage || typeid(*batch.storage) != typeid(MessageStorage)) {
    batch.storage = std::make_unique<MessageStorage>();
  }
  auto& assignments = consumer_.assignments();
  span_of_.assign(assignments.size(), 0);
  while (!waiting_.empty() && batch.records.size() < std::min(limits.records, max_batch_records)) {
    Waiting& next = waiting_.front();
    auto& assignment = assignments[next.index];
    if (!assignment || assignment->epoch != next.epoch) {
      waiting_.pop_front();  // its partition was given up: who has it now reads it
      continue;
    }
    const rd_kafka_message_t& message = *next.message;
    if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
      if (!batch.records.empty()) break;  // they go out before what comes after them
      // Markers of transactions may lie between the last record and the end.
      tracker_.skip_to(next.index, message.offset);
      assignment->position = std::max(assignment->position, message.offset);
      assignment->reached_end = true;
      waiting_.pop_front();
      continue;
    }
    const std::size_t endpoint = consumer_.subscriptions()[assignment->subscription].endpoint;
    const std::size_t bytes = message.len + message.key_len;
    if (!batch.records.empty() &&
        (batch.endpoint != endpoint || batch.bytes + bytes > limits.bytes)) {
      break;
    }
    batch.endpoint = endpoint;
    assignment->position = message.offset + 1;
    append(batch, std::move(next));
    waiting_.pop_front();
  }
  if (!batch.records.empty()) record_bytes_ = 1 + batch.bytes / batch.records.size();
  if (batch.records.empty()) return;
  batch.transaction =
      transaction_ ? transaction_->stamp(batch.records.size()) : consumer_.attempt();
  if (transaction_ && batch.caution != Caution::None) transaction_->hasten();
  for (const PartitionSpan& span : batch.spans) {
    tracker_.begin(span.tracker, span.epoch, span.first_offset, span.last_offset);
  }
}

void KafkaSource::append(RecordBatch& batch, Waiting waiting) {
  const rd_kafka_message_t& message = *waiting.message;
  std::uint32_t& place = span_of_[waiting.index];
  if (place == 0) {
    batch.spans.push_back({.topic = tracker_.topic(waiting.index),
                           .partition = message.partition,
                           .epoch = waiting.epoch,
                           .first_offset = message.offset,
                           .tracker = waiting.index});
    place = static_cast<std::uint32_t>(batch.spans.size());
  }
  batch.spans[place - 1].last_offset = message.offset;
  rd_kafka_timestamp_type_t kind = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
  const std::int64_t timestamp = rd_kafka_message_timestamp(&message, &kind);
  batch.bytes += message.len + message.key_len;
  batch.records.push_back({.key = {static_cast<const char*>(message.key), message.key_len},
                           .value = {static_cast<const char*>(message.payload), message.len},
                           .timestamp = kind == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE ? -1 : timestamp,
                           .offset = message.offset,
                           .span = place - 1,
                           .has_key = message.key != nullptr,
                           .has_value = message.payload != nullptr});
  static_cast<MessageStorage&>(*batch.storage).add(std::move(waiting.message));
}

void KafkaSource::serve(milliseconds wait) noexcept { consumer_.serve(wait); }

void KafkaSource::acknowledge(const RecordBatch& batch) noexcept {
  for (const PartitionSpan& span : batch.spans) {
    tracker_.finish(span.tracker, span.epoch, span.first_offset);
  }
  if (transaction_) transaction_->acknowledge(batch.transaction);
}

void KafkaSource::discard(const RecordBatch& batch, bool found) noexcept {
  if (found) consumer_.refusal_found();
  if (transaction_) return;  // it is aborted, and rewinds
  for (const PartitionSpan& span : batch.spans) tracker_.discard(span.tracker, span.epoch);
}

void KafkaSource::describe(SourceSnapshot& snapshot) const { view_.describe(snapshot); }

void KafkaSource::look_around(milliseconds within, bool group) { view_.look_around(within, group); }

std::expected<void, Failure> KafkaSource::close(milliseconds within) {
  waiting_.clear();
  const bool unread = !transaction_ && tracker_.must_rewind();
  auto closed = consumer_.close(within);
  if (transaction_) transaction_->end();
  if (!closed || !unread) return closed;
  return std::unexpected(
      Failure{.message = "a topic refused a record, and what was read since is not delivered",
              .help = "it is read again by the next run"});
}

}  // namespace kaspar::nodes::kafka
