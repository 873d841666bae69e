#include "nodes/kafka/consumer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "nodes/kafka/fail_point.hpp"
#include "nodes/kafka/start_resolution.hpp"
#include "nodes/kafka/waits.hpp"
#include "runtime/core/memory_split.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds revoke_drain{10'000};  // well below max.poll.interval.ms
constexpr milliseconds revoke_commit{5'000};
constexpr milliseconds least_time_to_leave{2'000};
/// Events can wait so long: asking before each record that comes alone is some 3 % of reading it.
constexpr milliseconds between_polls{5};
/// Before, destroying a client that never got an assignment ended the process
/// (confluentinc/librdkafka#4381, in 2.3.0).
constexpr int fixed_sticky_assignor = 0x020300ff;

milliseconds until(Consumer::Clock::time_point deadline) {
  return std::max(milliseconds{0},
                  std::chrono::duration_cast<milliseconds>(deadline - Consumer::Clock::now()));
}

std::string text_of(const rd_kafka_topic_partition_list_t& partitions) {
  std::string text;
  for (int i = 0; i < partitions.cnt; ++i) {
    text += fmt::format("{}{}[{}]", i == 0 ? "" : " ", partitions.elems[i].topic,
                        partitions.elems[i].partition);
  }
  return text;
}

/// Of librdkafka's for each message that was fetched, whatever its size (2.14). It counts only what
/// records hold.
constexpr std::size_t message_overhead = 1'024;
/// What is asked for at once comes on top of what is queued, and in records of few bytes takes many
/// times its size.
constexpr std::size_t fetches_in_queue = 16;

/// What no retry mends.
bool is_final(rd_kafka_resp_err_t code) {
  switch (code) {
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::expected<void, Failure> Consumer::open(bool embedded) {
  const std::size_t queue =
      split_memory(settings_.memory_budget, settings_.model_memory, false).fetch;
  const std::size_t fetch = std::clamp<std::size_t>(queue / fetches_in_queue, 64u << 10, 50u << 20);
  const std::size_t most_queued =
      std::clamp<std::size_t>(queue / message_overhead, 1'000, 1'000'000);
  ClientConfiguration configuration{
      .type = RD_KAFKA_CONSUMER,
      .defaults = consumer_waits(settings_.mode),
      .owned = {
          {"group.id", group_},
          {"enable.auto.commit", "false"},
          {"enable.auto.offset.store", "false"},
          // An embedded broker evicts silently what it has no room for: that must be heard.
          {"auto.offset.reset", embedded ? "error" : "earliest"},
          {"enable.partition.eof", settings_.until_end ? "true" : "false"},
          {"allow.auto.create.topics", "false"},
          {"queued.max.messages.kbytes", std::to_string(std::max<std::size_t>(queue >> 10, 64))},
          {"fetch.max.bytes", std::to_string(fetch)},
          {"message.max.bytes", std::to_string(std::min<std::size_t>(fetch, 1'000'000))}}};
  configuration.defaults.emplace_back("client.id", "kaspar");
  // One million, which librdkafka fetches up to, of ten bytes each would take a gigabyte.
  configuration.defaults.emplace_back("queued.min.messages", std::to_string(most_queued));
  strict_ = embedded;
  if (embedded) {
    // When the last member has left, the mock cluster keeps the next one waiting for a session time
    // less a second, which is 44 s by default.
    configuration.defaults.emplace_back("session.timeout.ms", "6000");
    configuration.defaults.emplace_back("heartbeat.interval.ms", "500");
  }
  // With `group.protocol = consumer` the broker assigns, and the client may not say how.
  const auto protocol = cluster_.options.find("group.protocol");
  if (protocol == cluster_.options.end() || protocol->second != "consumer") {
    configuration.owned.emplace_back("partition.assignment.strategy", "cooperative-sticky");
  }
  if (transaction_ != nullptr)
    configuration.owned.emplace_back("isolation.level", "read_committed");
  configuration.add_callbacks = [](rd_kafka_conf_t* conf) {
    rd_kafka_conf_set_rebalance_cb(conf, on_rebalance);
    rd_kafka_conf_set_offset_commit_cb(conf, on_commit);
  };
  auto client = make_client(configuration, cluster_, *this);
  if (!client) return std::unexpected(std::move(client.error()));
  client_ = std::move(*client);
  connected();
  rd_kafka_poll_set_consumer(client_.get());
  messages_.reset(rd_kafka_queue_new(client_.get()));

  const PartitionList topics = make_partition_list(subscriptions_.size());
  for (const Subscription& subscription : subscriptions_) {
    rd_kafka_topic_partition_list_add(topics.get(), subscription.topic.c_str(),
                                      RD_KAFKA_PARTITION_UA);
  }
  const rd_kafka_resp_err_t code = rd_kafka_subscribe(client_.get(), topics.get());
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return std::unexpected(Failure{
        .message = fmt::format("cannot join the group `{}`: {}", group_, rd_kafka_err2str(code))});
  }
  return {};
}

void Consumer::serve(milliseconds wait) {
  if (!client_) return;
  const auto now = Clock::now();
  if (wait == milliseconds{0} && transaction_ == nullptr && now - last_poll_ < between_polls) {
    return commit_if_due();
  }
  last_poll_ = now;
  const MessageHandle message{
      rd_kafka_consumer_poll(client_.get(), static_cast<int>(wait.count()))};
  if (message) {
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      handle_error(message->err, rd_kafka_message_errstr(message.get()));
    } else if (!failure_) {
      failure_ = Failure{.status = ExitStatus::Bug,
                         .message = "a record came past the queue of its partition"};
    }
  }
  if (transaction_ == nullptr) return commit_if_due();
  transaction_->serve(client_.get());
  if (transaction_->must_rewind()) rewind();
}

std::optional<std::size_t> Consumer::subscription_of(std::string_view topic) const noexcept {
  const auto found = std::ranges::find(subscriptions_, topic, &Subscription::topic);
  if (found == subscriptions_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - subscriptions_.begin());
}

void Consumer::handle_error(rd_kafka_resp_err_t code, std::string_view what) {
  if (code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET && !failure_) {
    failure_ =
        Failure{.message = fmt::format("records were deleted before they were read: {}", what),
                .help = "an embedded broker keeps some 5 MiB a partition: write less at a time"};
  }
  if (is_final(code)) {
    if (!failure_) failure_ = Failure{.message = fmt::format("reading from Kafka: {}", what)};
    return;
  }
  log().write(LogLevel::Warning, "consumer_trouble", what, {{"error", rd_kafka_err2name(code)}});
}

const std::optional<Failure>& Consumer::failure() {
  if (!failure_) {
    if (auto why = fatal()) failure_ = Failure{.message = "reading from Kafka: " + *why};
    if (transaction_ != nullptr && transaction_->failure()) failure_ = transaction_->failure();
  }
  return failure_;
}

void Consumer::on_rebalance(rd_kafka_t* client, rd_kafka_resp_err_t code,
                            rd_kafka_topic_partition_list_t* partitions, void* opaque) {
  auto& self = owner<Consumer>(opaque);
  if (code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    self.assign(*partitions);
  } else if (code == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS) {
    self.revoke(*partitions);
  } else {
    self.handle_error(code, rd_kafka_err2str(code));
    if (self.may_answer()) rd_kafka_assign(client, nullptr);
  }
}

// A group that is asked to end takes the first answer for giving everything up, and may have ended
// before it comes to the next one, which librdkafka (up to 2.14 at least) then throws away: whoever
// gave it would wait for ever (confluentinc/librdkafka#4884).
bool Consumer::may_answer() noexcept { return !left_ || !std::exchange(answered_, true); }

void Consumer::assign(rd_kafka_topic_partition_list_t& partitions) {
  if (left_) {
    // The group's answer came while the process leaves: nothing of it will be read.
    if (may_answer()) {
      const ErrorHandle refused{rd_kafka_incremental_assign(client_.get(), &partitions)};
    }
    return;
  }
  assigned_once_ = true;
  ++rebalances_;
  log().write(LogLevel::Info, "partitions_assigned", "partitions were assigned to this process",
              {{"count", std::to_string(partitions.cnt)}, {"partitions", text_of(partitions)}});
  // Finding out where to start may take longer than a transaction may be open.
  if (transaction_ != nullptr && partitions.cnt != 0) (void)settle(partitions);
  if (auto resolved =
          resolve_starts(client_.get(), subscriptions_,
                         {.strict = strict_, .commit_all = transaction_ != nullptr}, partitions);
      !resolved) {
    if (!failure_) failure_ = std::move(resolved.error());
  }
  for (int i = 0; i < partitions.cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = partitions.elems[i];
    const std::uint32_t index = tracker_.index_of(partition.topic, partition.partition);
    if (assignments_.size() <= index) assignments_.resize(index + 1);
    assignments_[index] = Assignment{.epoch = tracker_.assign(index),
                                     .subscription = subscription_of(partition.topic).value_or(0)};
    const QueueHandle queue{
        rd_kafka_queue_get_partition(client_.get(), partition.topic, partition.partition)};
    rd_kafka_queue_forward(queue.get(), messages_.get());
  }
  const ErrorHandle error{rd_kafka_incremental_assign(client_.get(), &partitions)};
  if (error && !failure_) {
    failure_ = Failure{.message = fmt::format("partitions cannot be taken: {}",
                                              rd_kafka_error_string(error.get()))};
  }
}

void Consumer::revoke(rd_kafka_topic_partition_list_t& partitions) {
  const bool lost = rd_kafka_assignment_lost(client_.get()) != 0;
  const bool drained = !lost && settle(partitions);
  if (lost && transaction_ != nullptr) {
    // Whoever has them now reads them from what is committed.
    transaction_->abort("partitions were lost", std::min(Clock::now() + revoke_commit, close_by_));
  }
  log().write(drained ? LogLevel::Info : LogLevel::Warning,
              lost ? "partitions_lost" : "partitions_revoked",
              drained ? "partitions were given up, everything read of them is committed"
                      : "partitions were given up before everything read of them was committed; "
                        "whoever takes over reads the rest again",
              {{"count", std::to_string(partitions.cnt)}, {"partitions", text_of(partitions)}});
  for (int i = 0; i < partitions.cnt; ++i) {
    const std::uint32_t index =
        tracker_.index_of(partitions.elems[i].topic, partitions.elems[i].partition);
    tracker_.revoke(index);
    if (index < assignments_.size()) assignments_[index].reset();
  }
  if (!may_answer()) return;
  const ErrorHandle error{rd_kafka_incremental_unassign(client_.get(), &partitions)};
  if (error) {
    log().write(LogLevel::Warning, "consumer_trouble", rd_kafka_error_string(error.get()));
  }
}

bool Consumer::settle(const rd_kafka_topic_partition_list_t& partitions) {
  const auto deadline = std::min(Clock::now() + revoke_drain, close_by_);
  if (transaction_ != nullptr) return transaction_->settle(client_.get(), deadline);
  bool idle = true;
  for (int i = 0; i < partitions.cnt; ++i) {
    const auto index = tracker_.index_of(partitions.elems[i].topic, partitions.elems[i].partition);
    idle = tracker_.wait_idle(index, deadline) && idle;
  }
  return commit_until(std::min(Clock::now() + revoke_commit, close_by_), true) && idle;
}

void Consumer::commit_if_due() {
  if (committing_ || Clock::now() - last_commit_ < settings_.commit_interval) return;
  last_commit_ = Clock::now();
  const std::vector<PartitionOffset> offsets = tracker_.uncommitted();
  if (offsets.empty()) return;
  const rd_kafka_resp_err_t code = rd_kafka_commit(client_.get(), offset_list(offsets).get(), 1);
  fail_point("inside_commit");
  committing_ = code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

void Consumer::on_commit(rd_kafka_t*, rd_kafka_resp_err_t code,
                         rd_kafka_topic_partition_list_t* offsets, void* opaque) {
  auto& self = owner<Consumer>(opaque);
  self.committing_ = false;
  if (self.take_commit_result(code, offsets)) {
    self.tracker_.commits().times.add(Clock::now() - self.last_commit_);
  }
}

bool Consumer::take_commit_result(rd_kafka_resp_err_t code,
                                  const rd_kafka_topic_partition_list_t* offsets) {
  for (int i = 0; offsets != nullptr && i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& offset = offsets->elems[i];
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR && offset.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      code = offset.err;
    } else if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      tracker_.committed(tracker_.index_of(offset.topic, offset.partition), offset.offset);
    }
  }
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  ++tracker_.commits().failures;
  // While the process leaves, that is told once, as its failure.
  if (Clock::now() >= close_by_) return false;
  // In a rebalance that is usual.
  const bool usual = code == RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS ||
                     code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
  log().write(usual ? LogLevel::Debug : LogLevel::Warning, "commit_failed",
              "offsets were not committed; they are tried again",
              {{"error", rd_kafka_err2str(code)}});
  return false;
}

bool Consumer::commit_until(Clock::time_point deadline, bool in_rebalance) {
  while (true) {
    const std::vector<PartitionOffset> offsets = tracker_.uncommitted();
    if (offsets.empty()) return true;
    const QueueHandle answers{rd_kafka_queue_new(client_.get())};
    const auto asked = Clock::now();
    const rd_kafka_resp_err_t code = rd_kafka_commit_queue(
        client_.get(), offset_list(offsets).get(), answers.get(), nullptr, nullptr);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      const EventHandle answer{
          rd_kafka_queue_poll(answers.get(), static_cast<int>(until(deadline).count()))};
      if (answer && take_commit_result(rd_kafka_event_error(answer.get()),
                                       rd_kafka_event_topic_partition_list(answer.get()))) {
        tracker_.commits().times.add(Clock::now() - asked);
        continue;  // usually nothing is left
      }
    }
    if (Clock::now() >= deadline) return false;
    // A rebalance under way may be what the commit waits for.
    const milliseconds pause = std::min(milliseconds{100}, until(deadline));
    if (in_rebalance) {
      std::this_thread::sleep_for(pause);
    } else {
      serve(pause);
    }
  }
}

std::expected<void, Failure> Consumer::close(milliseconds within) {
  if (!client_) return {};
  const auto deadline = close_by_ = Clock::now() + within;
  const bool committed = transaction_ != nullptr
                             ? transaction_->settle_finally(client_.get(), deadline)
                             : commit_until(deadline, false);
  leave(std::max(deadline, Clock::now() + least_time_to_leave));
  if (committed) return {};
  return std::unexpected(
      Failure{.message = fmt::format("the offsets of the group `{}` could not be committed within "
                                     "{} ms",
                                     group_, within.count()),
              .help = "records that were processed are read again by the next run"});
}

// The last rebalance is served here: it gives up what is not acknowledged, for nothing more will
// be.
void Consumer::leave(Clock::time_point deadline) {
  if (std::exchange(left_, true)) return;
  close_by_ = std::min(close_by_, Clock::now());
  const QueueHandle closing{rd_kafka_queue_new(client_.get())};
  const ErrorHandle error{rd_kafka_consumer_close_queue(client_.get(), closing.get())};
  while (!error && rd_kafka_consumer_closed(client_.get()) == 0 && Clock::now() < deadline) {
    rd_kafka_queue_poll_callback(closing.get(), 20);
  }
}

Consumer::~Consumer() {
  messages_.reset();
  if (!client_) return;
  leave(Clock::now() + least_time_to_leave);
  if (!assigned_once_ && rd_kafka_version() < fixed_sticky_assignor) {
    disown();
    (void)client_.release();
  } else if (rd_kafka_consumer_closed(client_.get()) != 0) {
    rd_kafka_destroy_flags(client_.release(), RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
  } else {
    // Destroying it would wait for ever for what keeps it from closing; the process is about to
    // end.
    log().write(LogLevel::Warning, "consumer_trouble", "the consumer could not leave its group");
    disown();
    (void)client_.release();
  }
}

}  // namespace kaspar::nodes::kafka
