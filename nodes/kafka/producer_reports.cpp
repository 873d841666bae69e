// What becomes of records that were written: what brokers say of each, and what a sink's listener
// is told of it.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "nodes/kafka/fail_point.hpp"
#include "nodes/kafka/producer.hpp"
#include "nodes/kafka/refusal.hpp"

namespace kaspar::nodes::kafka {
namespace {

bool is_purged(rd_kafka_resp_err_t code) {
  return code == RD_KAFKA_RESP_ERR__PURGE_QUEUE || code == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
}

}  // namespace

void Producer::on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* opaque) {
  auto& self = owner<Producer>(opaque);
  const auto tag = reinterpret_cast<std::uintptr_t>(message->_private);
  self.reported(self.deliveries_[tag >> index_bits], message->err, tag & index_mask,
                message->partition);
}

void Producer::reported(Write& delivery, rd_kafka_resp_err_t code, std::size_t index,
                        std::int32_t partition) {
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (retracts(delivery, code)) {
      delivery.retracted = true;
      if (is_refusal(code)) suspect(delivery, code, index, partition);
    } else {
      // What the broker adds to the code (rd_kafka_message_produce_errstr) is freed by now.
      if (!delivery.failure) delivery.failure = rd_kafka_err2str(code);
      if (std::array<char, 512> why{}; follows_from_refusal(code)) {
        rd_kafka_fatal_error(client_.get(), why.data(), why.size());
        delivery.failure = why.data();
      }
      const std::lock_guard lock(mutex_);
      ++given_up_;
    }
  }
  if (--delivery.remaining != 0) return;
  if (delivery.retracted) {
    retracted_.push_back(&delivery);
  } else {
    tell(delivery);
  }
}

// Which records a request was refused for is known if it had but one, or if the broker told: then
// the others are given up for being in the same request.
void Producer::suspect(Write& delivery, rd_kafka_resp_err_t code, std::size_t index,
                       std::int32_t partition) {
  if (is_innocent(code)) {
    told_apart_.emplace(delivery.topic, partition);
    return;
  }
  delivery.refusal = fmt::format("the topic `{}` refuses the result: {}",
                                 topics_[delivery.topic].name, rd_kafka_err2str(code));
  if (delivery.terms.caution == Caution::Record) return delivery.refused.push_back(index);
  if (!tells_records_apart(code)) return;
  if (delivery.suspects.empty()) suspected_.push_back(&delivery);
  delivery.suspects.emplace_back(index, partition);
}

// Reports of a request are served together.
void Producer::reports_heard() {
  for (Write* write : suspected_) {
    for (const auto& [index, partition] : write->suspects) {
      if (told_apart_.contains({write->topic, partition})) write->refused.push_back(index);
    }
    write->suspects.clear();
  }
  suspected_.clear();
  told_apart_.clear();
  for (Write* write : retracted_) tell(*write);
  retracted_.clear();
}

void Producer::tell(Write& delivery) {
  DeliveryListener& listener = *delivery.listener;
  const Write done = std::exchange(delivery, {.slot = delivery.slot});
  free_.push_back(&delivery);
  --under_way_;
  if (done.failure) {
    listener.failed({.message = fmt::format("the topic `{}` did not take a record: {}",
                                            topics_[done.topic].name, *done.failure),
                     .help = "what was not delivered is read again by the next run"});
  } else if (!done.refused.empty()) {
    listener.refused(done.refused, done.refusal);
  } else if (done.retracted) {
    listener.discarded();
  } else {
    fail_point("after_produce");
    listener.delivered();
  }
  told();
}

bool Producer::retracts(const Write& write, rd_kafka_resp_err_t code) {
  const std::uint64_t attempt = write.terms.transaction;
  if (attempt == 0 || delivery_ == Delivery::BestEffort) return false;
  const bool refused = is_refusal(code);
  // What follows from a refusal may be heard of before it.
  const bool follows = follows_from_refusal(code);
  if (!refused && !follows) return attempt < attempt_ && is_purged(code);
  if (refused && !std::exchange(refusal_told_, true)) log_refusal(write, code);
  if (attempt < attempt_) return true;
  attempt_ = attempt + 1;
  renewing_ = purging_ = true;
  return true;
}

// librdkafka ends the client, and purges what was queued, before it reports the refused request.
bool Producer::follows_from_refusal(rd_kafka_resp_err_t code) const {
  const bool ended = code == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE ||
                     code == RD_KAFKA_RESP_ERR__FATAL || is_purged(code);
  return ended &&
         rd_kafka_fatal_error(client_.get(), nullptr, 0) == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE;
}

void Producer::log_refusal(const Write& write, rd_kafka_resp_err_t code) {
  context_.log.write(
      LogLevel::Warning, "record_refused",
      write.terms.caution == Caution::Record
          ? "a topic refuses a record, which fails its row"
          : "a topic refuses a record of a request; what was read is read again with "
            "care, so that it is found",
      {{"topic", topics_[write.topic].name}, {"error", rd_kafka_err2str(code)}});
}

}  // namespace kaspar::nodes::kafka
