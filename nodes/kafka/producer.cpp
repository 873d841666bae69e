#include "nodes/kafka/producer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "nodes/kafka/cluster_probe.hpp"
#include "nodes/kafka/dead_letter_headers.hpp"
#include "nodes/kafka/fail_point.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Values up to this size go along with their message, which is made and has a copy of the key
/// anyway: by the time that a request is written, what they view may have left the cache. And where
/// all are copied, what they were made of can go, and be used again while it is warm.
constexpr std::size_t small_value = 256;

/// So few are enqueued in less time than it takes to wake a thread for it.
constexpr std::size_t few_records = 16;

/// Who serves is attentive if it comes back within this time; else the thread listens.
constexpr milliseconds attention{5};
/// The thread finds that out after a time that doubles while it is so. Where a flow stops, what is
/// delivered meanwhile is told that much later: little at the end of a short one.
constexpr milliseconds first_trust{2};
constexpr milliseconds most_trust{16};
/// Of more writes under way than this the thread hears.
constexpr std::size_t few_writes = 16;

constexpr milliseconds best_effort_close{5'000};

/// A view's data for librdkafka, to which a null pointer is a null value.
void* pointer(std::string_view bytes, bool present) {
  if (!present) return nullptr;
  return const_cast<char*>(bytes.data() != nullptr ? bytes.data() : "");
}

bool is_plain(const OutputRecord& record) {
  return record.headers.empty() && record.timestamp < 0 && record.dead_letter == nullptr;
}

}  // namespace

Producer::Producer(std::vector<ProducedTopic> topics, Delivery delivery,
                   const KafkaSettings& cluster, const RunContext& context)
    : ClientEvents(context.log),
      topics_(std::move(topics)),
      delivery_(delivery),
      cluster_(cluster),
      context_(context) {}

Producer::~Producer() {
  (void)close(milliseconds{0});
  handles_.clear();
  client_.reset();
  for (const int descriptor : {wakeup_, reported_}) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

void Producer::write(std::size_t topic, std::span<const OutputRecord> records,
                     const WriteTerms& terms, DeliveryListener& listener) noexcept {
  const Job job{.topic = topic, .records = records, .terms = terms, .listener = &listener};
  ++untold_;
  if (records.size() <= few_records && write_directly(job)) return;
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    first = jobs_.empty();
    jobs_.push_back(job);
    direct_ = false;
  }
  if (first) wake();
}

bool Producer::take_over() noexcept {
  const std::lock_guard lock(mutex_);
  if (owned_ || !jobs_.empty()) return false;
  owned_ = true;
  return true;
}

void Producer::hand_back(bool direct) noexcept {
  // What librdkafka refuses at once has no report that would wake the thread, which sees to it.
  const bool unheard = renewing_ || !suspected_.empty() || !retracted_.empty();
  const bool few = under_way_ <= few_writes;
  bool relied_on = false;
  {
    const std::lock_guard lock(mutex_);
    owned_ = false;
    direct_ = direct && few && jobs_.empty();
    relied_on = !direct_ && std::exchange(trusted_, false);
    changed_.notify_all();
  }
  if (unheard || relied_on) wake();
}

bool Producer::write_directly(const Job& job) noexcept {
  if (!take_over()) return false;
  const bool plain = is_plain_write(job);
  if (plain) take(job);
  hand_back(plain);
  return plain;
}

void Producer::serve() noexcept {
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    attentive_ = now - std::exchange(served_at_, now) < attention;
    if (!direct_ || owned_ || !jobs_.empty()) return;
    owned_ = true;
  }
  while (rd_kafka_poll(client_.get(), 0) > 0) {
  }
  hand_back(true);
}

void Producer::listen() noexcept {
  {
    const std::lock_guard lock(mutex_);
    direct_ = false;
    if (!std::exchange(trusted_, false)) return;
  }
  wake();
}

bool Producer::may_trust() {
  const std::lock_guard lock(mutex_);
  trusted_ = direct_ && attentive_ && Clock::now() - served_at_ < attention;
  return trusted_;
}

bool Producer::is_plain_write(const Job& job) const {
  return !failure_ && !renewing_ && !careful_ && job.terms.caution == Caution::None &&
         (job.terms.transaction == 0 || job.terms.transaction >= attempt_);
}

void Producer::wake() noexcept {
  constexpr std::uint64_t one = 1;
  // Full means that the thread is about to wake anyway.
  (void)!::write(wakeup_, &one, sizeof one);
}

void Producer::wait_for_work(bool renewing) {
  const milliseconds listening{renewing ? 5 : 1'000};
  const bool trusts = !renewing && may_trust();
  trust_ = trusts ? std::clamp(2 * trust_, first_trust, most_trust) : milliseconds{0};
  std::array<pollfd, 2> ready{{{.fd = wakeup_, .events = POLLIN, .revents = 0},
                               {.fd = reported_, .events = POLLIN, .revents = 0}}};
  (void)::poll(ready.data(), trusts ? 1 : 2,
               static_cast<int>((trusts ? trust_ : listening).count()));
  for (const pollfd& one : ready) {
    std::uint64_t count = 0;
    if (one.revents != 0) (void)!::read(one.fd, &count, sizeof count);
  }
}

void Producer::run() noexcept {
  bool flushing = false;
  bool renewing = false;
  while (true) {
    if (!flushing) wait_for_work(renewing);
    bool give_up = false;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !owned_; });
      owned_ = true;
      taken_.swap(jobs_);
      flushing = closing_;
      give_up = give_up_;
    }
    for (const Job& job : taken_) take(job);
    taken_.clear();
    work(flushing);
    if (give_up && under_way_ != 0) {
      rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    }
    if (flushing) rd_kafka_flush(client_.get(), 20);  // past linger.ms, and serves reports
    while (rd_kafka_poll(client_.get(), 0) > 0) {
    }
    reports_heard();
    renewing = renewing_;
    const bool idle = under_way_ == 0 && waiting_.empty();
    const std::lock_guard lock(mutex_);
    owned_ = false;
    if (!flushing || !idle || !jobs_.empty()) continue;
    finished_ = true;
    changed_.notify_all();
    return;
  }
}

void Producer::take(const Job& job) {
  if (failure_) {
    job.listener->failed(*failure_);
    return told();
  }
  if (job.terms.transaction != 0 && job.terms.transaction < attempt_) return discard(job);
  // What was refused is behind: full speed again.
  if (careful_ && job.terms.caution == Caution::None) renewing_ = true;
  if (!renewing_) return produce(job);
  waiting_.push_back(job);
}

void Producer::work(bool) {
  if (!renewing_) return;
  if (under_way_ != 0) {
    // Requests are awaited, lest a broker takes one after what is read again. What they bring back
    // is not tried again.
    if (purging_) rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE);
    return;
  }
  careful_ = std::exchange(purging_, false);
  renewing_ = refusal_told_ = false;
  if (auto made = reconnect(); !made) failure_ = std::move(made.error());
  const std::deque<Job> due = std::exchange(waiting_, {});
  for (const Job& job : due) take(job);
}

void Producer::discard(const Job& job) {
  job.listener->discarded();
  told();
}

bool Producer::must_give_up() {
  const std::lock_guard lock(mutex_);
  return give_up_;
}

void Producer::produce(const Job& job) {
  fail_point("before_produce");
  fail_point_after("stuck_before_produce", milliseconds{1'000});
  if (free_.empty()) {
    free_.push_back(&deliveries_.emplace_back());
    free_.back()->slot = deliveries_.size() - 1;
  }
  Write& delivery = *free_.back();
  free_.pop_back();
  // One more than there are, so that it cannot be over before all of them are enqueued.
  delivery = {.slot = delivery.slot,
              .listener = job.listener,
              .topic = job.topic,
              .terms = job.terms,
              .remaining = job.records.size() + 1};
  ++under_way_;
  if (job.terms.caution == Caution::Record) {
    produce_singly(job, delivery);
  } else {
    const bool copied = produce_range(job, 0, job.records.size(), delivery);
    // Of what is read again, which row a record was made of must be known to the end.
    if (copied && delivery.remaining > 1 && job.terms.caution == Caution::None) {
      job.listener->copied();
    }
  }
  reported(delivery, RD_KAFKA_RESP_ERR_NO_ERROR, 0, RD_KAFKA_PARTITION_UA);
}

// A record that is refused is alone in its request, so it is known. Nothing after it is written.
void Producer::produce_singly(const Job& job, Write& delivery) {
  for (std::size_t i = 0; i < job.records.size(); ++i) {
    const std::size_t left = job.records.size() - i;
    produce_range(job, i, i + 1, delivery);
    while (delivery.remaining > left) {
      if (must_give_up()) {
        rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      }
      rd_kafka_flush(client_.get(), 100);  // past linger.ms, and serves reports
    }
    if (!delivery.retracted && !delivery.failure) continue;
    delivery.remaining = 1;
    return;
  }
}

bool Producer::produce_range(const Job& job, std::size_t first, std::size_t end, Write& delivery) {
  bool copied = true;
  for (std::size_t i = first; i < end;) {
    std::size_t last = i;
    while (last < end && is_plain(job.records[last])) ++last;
    if (last != i) {
      copied = produce_plain(job, i, last, delivery) && copied;
      i = last;
    } else {
      produce_one(job, i, delivery);
      copied = false;
      ++i;
    }
  }
  return copied;
}

bool Producer::produce_plain(const Job& job, std::size_t first, std::size_t last, Write& delivery) {
  messages_.assign(last - first, rd_kafka_message_t{});
  std::size_t longest = 0;
  for (std::size_t i = first; i < last; ++i) {
    const OutputRecord& record = job.records[i];
    rd_kafka_message_t& message = messages_[i - first];
    message.payload = pointer(record.value, record.has_value);
    message.len = record.has_value ? record.value.size() : 0;
    message.key = pointer(record.key, record.has_key);
    message.key_len = record.has_key ? record.key.size() : 0;
    message._private = tag(delivery.slot, i);
    // librdkafka copies them. A key, and a value that is passed on, stand where they were received:
    // in no cache, or in another CPU's.
    __builtin_prefetch(message.key);
    if (message.len <= small_value) __builtin_prefetch(message.payload);
    longest = std::max(longest, message.len);
  }
  const int flags = longest <= small_value ? RD_KAFKA_MSG_F_COPY : 0;
  const auto count = static_cast<int>(messages_.size());
  const int taken = rd_kafka_produce_batch(handles_[job.topic].get(), RD_KAFKA_PARTITION_UA, flags,
                                           messages_.data(), count);
  const bool copied = flags == RD_KAFKA_MSG_F_COPY;
  if (taken == count) return copied;
  for (std::size_t i = first; i < last; ++i) {
    const rd_kafka_message_t& message = messages_[i - first];
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      reported(delivery, message.err, i, RD_KAFKA_PARTITION_UA);
    }
  }
  return copied;
}

void Producer::produce_one(const Job& job, std::size_t index, Write& delivery) {
  const OutputRecord& record = job.records[index];
  rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
  for (const Header& header : record.headers) {
    rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                        pointer(header.value, header.has_value),
                        static_cast<ssize_t>(header.value.size()));
  }
  std::string_view value = record.value;
  if (record.dead_letter != nullptr) {
    add_dead_letter_headers(*headers, *record.dead_letter);
    std::size_t taken = record.key.size() + record.dead_letter->message.size() + record_framing;
    taken = std::min(taken, largest_[job.topic]);
    if (value.size() > largest_[job.topic] - taken) {
      add_original_size(*headers, value.size());
      value = value.substr(0, largest_[job.topic] - taken);
    }
  }
  std::array<rd_kafka_vu_t, 7> parts{};
  std::size_t count = 0;
  parts[count].vtype = RD_KAFKA_VTYPE_RKT;
  parts[count++].u.rkt = handles_[job.topic].get();
  parts[count].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  parts[count++].u.i = 0;
  parts[count].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[count++].u.mem = {pointer(value, record.has_value), record.has_value ? value.size() : 0};
  parts[count].vtype = RD_KAFKA_VTYPE_KEY;
  parts[count++].u.mem = {pointer(record.key, record.has_key),
                          record.has_key ? record.key.size() : 0};
  parts[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[count++].u.ptr = tag(delivery.slot, index);
  parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[count++].u.headers = headers;
  if (record.timestamp >= 0) {
    parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[count++].u.i64 = record.timestamp;
  }
  const ErrorHandle error{rd_kafka_produceva(client_.get(), parts.data(), count)};
  if (!error) return;
  rd_kafka_headers_destroy(headers);  // taken on success only
  reported(delivery, rd_kafka_error_code(error.get()), index, RD_KAFKA_PARTITION_UA);
}

void Producer::told() noexcept {
  if (untold_.fetch_sub(1) != 1) return;
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

bool Producer::wait_until_told(milliseconds within) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, [this] { return untold_ == 0; });
}

std::expected<void, Failure> Producer::close(milliseconds within) {
  if (!thread_.joinable()) return {};
  // An outage of a cluster that nothing rests on does not take the time that others need.
  if (delivery_ == Delivery::BestEffort) within = std::min(within, best_effort_close);
  {
    std::unique_lock lock(mutex_);
    closing_ = true;
    wake();
    if (!changed_.wait_for(lock, within, [this] { return finished_; })) give_up_ = true;
  }
  thread_.join();
  if (given_up_ == 0 || delivery_ == Delivery::BestEffort) return {};
  return std::unexpected(
      Failure{.message = fmt::format("{} records were not delivered to Kafka", given_up_),
              .help = "what was not delivered is read again by the next run"});
}

}  // namespace kaspar::nodes::kafka
