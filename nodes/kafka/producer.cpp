#include "nodes/kafka/producer.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "nodes/kafka/cluster_probe.hpp"
#include "nodes/kafka/dead_letter_headers.hpp"
#include "nodes/kafka/fail_point.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;

/// librdkafka's own default for a request's records.
constexpr std::size_t usual_batch_size = 1'000'000;
/// What a record's framing and its batch's header take at most, of what a topic accepts.
constexpr std::size_t framing = 1'024;

/// Values up to this size go along with their message, which is made and has a copy of the key
/// anyway: by the time that a request is written, what they view may have left the cache. And where
/// all are copied, what they were made of can go, and be used again while it is warm.
constexpr std::size_t small_value = 256;

constexpr milliseconds best_effort_close{5'000};

/// As the Java client's partitioners: keys by their hash, records without a key anywhere.
std::string partitioner_property(const std::string& name) {
  if (name == "crc32") return "consistent_random";
  return name == "random" ? name : name + "_random";
}

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
  if (wakeup_ >= 0) ::close(wakeup_);
}

std::expected<void, Failure> Producer::open() {
  if (client_) return {};
  if (auto found = look_up(); !found) {
    if (delivery_ == Delivery::Reliable) return found;
    // Nothing rests on it: its records fail until it is there.
    context_.log.write(LogLevel::Warning, "best_effort_unreachable", found.error().message);
    largest_.assign(topics_.size(), default_max_message_bytes);
  }
  return make();
}

std::expected<void, Failure> Producer::look_up() {
  ClusterProbe probe(cluster_, context_.log);
  if (auto connected = probe.connect(); !connected) return connected;
  for (const ProducedTopic& topic : topics_) {
    if (!topic.create) {
      auto there = probe.existing(
          topic.name,
          "create it, or say `create: { partitions = 3, replication = 1 }` in the sink");
      if (!there) return std::unexpected(std::move(there.error()));
    } else if (auto count = probe.partitions(topic.name); !count) {
      return std::unexpected(std::move(count.error()));
    } else if (!*count) {
      auto created = probe.create(topic.name, topic.create->partitions, topic.create->replication);
      if (!created) return created;
      context_.log.write(LogLevel::Info, "topic_created", "a sink's topic was created",
                         {{"topic", topic.name}});
    }
    largest_.push_back(probe.max_message_bytes(topic.name));
  }
  return {};
}

std::expected<void, Failure> Producer::make() {
  const auto [smallest, largest] = std::ranges::minmax(largest_);
  limits_.emplace_back("message.max.bytes", std::to_string(std::clamp<std::size_t>(
                                                largest + framing, 1'000, 1'000'000'000)));
  // A request is refused as a whole by a topic that takes less.
  if (smallest < usual_batch_size) {
    limits_.emplace_back("batch.size", std::to_string(std::max<std::size_t>(smallest, 1)));
  }
  for (std::size_t& bytes : largest_) bytes -= std::min(framing, bytes / 8);

  wakeup_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wakeup_ < 0) return std::unexpected(Failure{.message = "no event descriptor is left"});
  if (auto connected = connect(); !connected) return connected;
  if (auto begun = ready(); !begun) return begun;
  thread_ = std::thread([this] { run(); });
  return {};
}

std::expected<void, Failure> Producer::connect() {
  ClientConfiguration configuration{
      .type = RD_KAFKA_PRODUCER,
      .defaults = {{"client.id", "kaspar"},
                   {"linger.ms", context_.settings.mode == RunMode::Throughput ? "10" : "0"}},
      .owned = {{"acks", "all"},
                // A topic is made by `create`, never because somebody asks for it.
                {"allow.auto.create.topics", "false"},
                // Credits bound what is under way.
                {"queue.buffering.max.messages", "10000000"},
                {"queue.buffering.max.kbytes", "2147483647"}},
      .add_callbacks = [](rd_kafka_conf_t* conf) {
        rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
      }};
  if (delivery_ == Delivery::Reliable) {
    configuration.owned.emplace_back("enable.idempotence", "true");
    configuration.owned.emplace_back("message.timeout.ms", "0");
  } else {
    // An idempotent producer must not give a record up; one request at a time keeps order too.
    configuration.owned.emplace_back("enable.idempotence", "false");
    configuration.owned.emplace_back("max.in.flight.requests.per.connection", "1");
    configuration.owned.emplace_back("message.timeout.ms", "30000");
  }
  if (context_.settings.mode == RunMode::Latency) {
    configuration.defaults.emplace_back("socket.nagle.disable", "true");
  }
  configuration.owned.insert(configuration.owned.end(), limits_.begin(), limits_.end());
  configure(configuration);

  auto client = make_client(configuration, cluster_, *this);
  if (!client) return std::unexpected(std::move(client.error()));
  client_ = std::move(*client);
  connected();
  if (auto made = make_topics(); !made) return made;

  constexpr std::uint64_t one = 1;
  const QueueHandle events{rd_kafka_queue_get_main(client_.get())};
  rd_kafka_queue_io_event_enable(events.get(), wakeup_, &one, sizeof one);
  return {};
}

std::expected<void, Failure> Producer::reconnect() {
  rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  rd_kafka_flush(client_.get(), 1'000);  // serves reports
  handles_.clear();
  client_.reset();
  forget_fatal();
  return connect();
}

std::expected<void, Failure> Producer::make_topics() {
  for (const ProducedTopic& topic : topics_) {
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(client_.get());
    const Properties properties = {{"compression.codec", topic.compression},
                                   {"partitioner", partitioner_property(topic.partitioner)}};
    std::array<char, 256> error{};
    for (const auto& [name, value] : properties) {
      if (rd_kafka_topic_conf_set(conf, name.c_str(), value.c_str(), error.data(), error.size()) !=
          RD_KAFKA_CONF_OK) {
        rd_kafka_topic_conf_destroy(conf);
        return std::unexpected(
            Failure{.status = ExitStatus::Problems,
                    .message = fmt::format("`{}` cannot be `{}` for the topic `{}`: {}", name,
                                           value, topic.name, error.data())});
      }
    }
    handles_.emplace_back(rd_kafka_topic_new(client_.get(), topic.name.c_str(), conf));
    if (!handles_.back()) {
      return std::unexpected(
          Failure{.message = fmt::format("the topic `{}` cannot be used: {}", topic.name,
                                         rd_kafka_err2str(rd_kafka_last_error()))});
    }
  }
  return {};
}

void Producer::write(std::size_t topic, std::span<const OutputRecord> records,
                     std::uint64_t transaction, DeliveryListener& listener) noexcept {
  bool first = false;
  ++untold_;
  {
    const std::lock_guard lock(mutex_);
    first = jobs_.empty();
    jobs_.push_back(
        {.topic = topic, .records = records, .transaction = transaction, .listener = &listener});
  }
  if (first) wake();
}

void Producer::wake() noexcept {
  constexpr std::uint64_t one = 1;
  // Full means that the thread is about to wake anyway.
  (void)!::write(wakeup_, &one, sizeof one);
}

void Producer::wait_for_work(int timeout) {
  pollfd ready{.fd = wakeup_, .events = POLLIN, .revents = 0};
  (void)::poll(&ready, 1, timeout);
  std::uint64_t count = 0;
  (void)!::read(wakeup_, &count, sizeof count);
}

void Producer::run() noexcept {
  bool flushing = false;
  bool purged = false;
  while (true) {
    if (flushing) {
      rd_kafka_flush(client_.get(), 20);  // past linger.ms, and serves reports
    } else {
      wait_for_work(1'000);
    }
    bool give_up = false;
    {
      const std::lock_guard lock(mutex_);
      taken_.swap(jobs_);
      flushing = closing_;
      give_up = give_up_;
    }
    for (const Job& job : taken_) take(job);
    taken_.clear();
    work(flushing);
    if (give_up && !purged) {
      rd_kafka_purge(client_.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
      purged = true;
    }
    while (rd_kafka_poll(client_.get(), 0) > 0) {
    }
    if (flushing && under_way_ == 0) {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) {
        finished_ = true;
        changed_.notify_all();
        return;
      }
    }
  }
}

void Producer::produce(const Job& job) {
  fail_point("before_produce");
  if (free_.empty()) free_.push_back(&deliveries_.emplace_back());
  Write& delivery = *free_.back();
  free_.pop_back();
  // One more than there are, so that it cannot be over before all of them are enqueued.
  delivery = {.listener = job.listener, .topic = job.topic, .remaining = job.records.size() + 1};
  ++under_way_;
  bool copied = true;
  for (std::size_t i = 0; i < job.records.size();) {
    std::size_t last = i;
    while (last < job.records.size() && is_plain(job.records[last])) ++last;
    if (last != i) {
      copied = produce_plain(job, i, last, delivery) && copied;
      i = last;
    } else {
      produce_one(job, job.records[i], delivery);
      copied = false;
      ++i;
    }
  }
  if (copied && delivery.remaining > 1) job.listener->copied();
  reported(delivery, RD_KAFKA_RESP_ERR_NO_ERROR);
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
    message._private = &delivery;
    longest = std::max(longest, message.len);
  }
  const int flags = longest <= small_value ? RD_KAFKA_MSG_F_COPY : 0;
  const auto count = static_cast<int>(messages_.size());
  const int taken = rd_kafka_produce_batch(handles_[job.topic].get(), RD_KAFKA_PARTITION_UA, flags,
                                           messages_.data(), count);
  const bool copied = flags == RD_KAFKA_MSG_F_COPY;
  if (taken == count) return copied;
  for (const rd_kafka_message_t& message : messages_) {
    if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) reported(delivery, message.err);
  }
  return copied;
}

void Producer::produce_one(const Job& job, const OutputRecord& record, Write& delivery) {
  rd_kafka_headers_t* headers = rd_kafka_headers_new(8);
  for (const Header& header : record.headers) {
    rd_kafka_header_add(headers, header.name.data(), static_cast<ssize_t>(header.name.size()),
                        pointer(header.value, header.has_value),
                        static_cast<ssize_t>(header.value.size()));
  }
  std::string_view value = record.value;
  if (record.dead_letter != nullptr) {
    add_dead_letter_headers(*headers, *record.dead_letter);
    std::size_t taken = record.key.size() + record.dead_letter->message.size() + framing;
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
  parts[count++].u.ptr = &delivery;
  parts[count].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[count++].u.headers = headers;
  if (record.timestamp >= 0) {
    parts[count].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
    parts[count++].u.i64 = record.timestamp;
  }
  const ErrorHandle error{rd_kafka_produceva(client_.get(), parts.data(), count)};
  if (!error) return;
  rd_kafka_headers_destroy(headers);  // taken on success only
  reported(delivery, rd_kafka_error_code(error.get()));
}

void Producer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& self = owner<Producer>(opaque);
  self.reported(*static_cast<Write*>(message->_private), message->err);
}

void Producer::reported(Write& delivery, rd_kafka_resp_err_t code) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && retracts(code)) {
    delivery.retracted = true;
  } else if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (!delivery.refusal) delivery.refusal = rd_kafka_err2str(code);
    const std::lock_guard lock(mutex_);
    ++given_up_;
  }
  if (--delivery.remaining != 0) return;
  DeliveryListener& listener = *delivery.listener;
  const std::optional<std::string> refusal = std::move(delivery.refusal);
  const std::size_t topic = delivery.topic;
  const bool retracted = delivery.retracted;
  free_.push_back(&delivery);
  --under_way_;
  if (refusal) {
    listener.failed({.message = fmt::format("the topic `{}` did not take a record: {}",
                                            topics_[topic].name, *refusal),
                     .help = "what was not delivered is read again by the next run"});
  } else if (retracted) {
    listener.discarded();
  } else {
    fail_point("after_produce");
    listener.delivered();
  }
  told();
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
