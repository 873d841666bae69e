// An in-process Kafka broker, for demonstrations and tests: librdkafka's mock cluster on a port of
// 127.0.0.1. In memory; it keeps some 5 MiB a partition and then evicts silently, has no admin API
// and does not honour transactions.
#pragma once

#include <cstddef>
#include <expected>
#include <memory>
#include <string>

#include "runtime/core/issue.hpp"

namespace kaspar::nodes::kafka {

/// What may be ahead of every reader of a partition before eviction comes near, in bytes.
inline constexpr std::size_t embedded_broker_room = 2u << 20;

class EmbeddedBroker {
 public:
  [[nodiscard]] static std::expected<EmbeddedBroker, Failure> start();
  EmbeddedBroker(EmbeddedBroker&&) noexcept;
  EmbeddedBroker& operator=(EmbeddedBroker&&) noexcept;
  ~EmbeddedBroker();

  /// Other topics are made when first used, of 4 partitions.
  [[nodiscard]] std::expected<void, Failure> create_topic(const std::string& name, int partitions);

  /// For tests: so many requests to write are taken, and then so many are refused for what a record
  /// of them is.
  void refuse_writes(std::size_t after, std::size_t count);

  /// HOST:PORT, as `bootstrap.servers` takes it.
  [[nodiscard]] std::string address() const;

 private:
  struct Cluster;
  explicit EmbeddedBroker(std::unique_ptr<Cluster> cluster);
  std::unique_ptr<Cluster> cluster_;
};

}  // namespace kaspar::nodes::kafka
