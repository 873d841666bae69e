// One topic as a sink; all Kafka sinks of a plan share a producer.
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "nodes/kafka/producer.hpp"
#include "runtime/core/sink.hpp"

namespace kaspar::nodes::kafka {

class KafkaSink final : public Sink {
 public:
  /// `topic` is the index of its topic in the producer.
  KafkaSink(std::shared_ptr<Producer> producer, std::size_t topic)
      : producer_(std::move(producer)), topic_(topic) {}

  [[nodiscard]] std::expected<void, Failure> open() override { return producer_->open(); }
  [[nodiscard]] std::size_t largest_record() const noexcept override {
    return producer_->largest_record(topic_);
  }
  void write(std::span<const OutputRecord> records, const WriteTerms& terms,
             DeliveryListener& listener) noexcept override {
    producer_->write(topic_, records, terms, listener);
  }
  /// One of them speaks for all.
  void serve() noexcept override {
    if (topic_ == 0) producer_->serve();
  }
  void listen() noexcept override {
    if (topic_ == 0) producer_->listen();
  }
  /// The first sink that closes pushes out the records of all: the engine writes no more by then.
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within) override {
    return producer_->finish(within);
  }

 private:
  std::shared_ptr<Producer> producer_;
  std::size_t topic_;
};

}  // namespace kaspar::nodes::kafka
