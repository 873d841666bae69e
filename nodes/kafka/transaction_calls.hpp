// The calls of librdkafka's transactional API, each repeated while that can help. All of them are
// made by the thread that owns the producer, and all may block.
#pragma once

#include <rdkafka.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "nodes/kafka/handles.hpp"

namespace kaspar::nodes::kafka {

/// Why transactions are refused with the librdkafka that kaspar was built with and this version
/// (rd_kafka_version()) of it that is linked; empty: they are not. 2.10.1 is the first to commit
/// offsets in a rebalance without losing the assignment.
[[nodiscard]] std::string transactions_refused(int linked);

using GroupMetadata = std::unique_ptr<rd_kafka_consumer_group_metadata_t,
                                      Destroy<rd_kafka_consumer_group_metadata_destroy>>;

/// The generation (classic protocol) or member epoch (KIP-848) that an offset commit will claim;
/// negative: of no member, and brokers accept that from anybody.
[[nodiscard]] std::int32_t generation_of(const GroupMetadata& metadata);

struct TransactionResult {
  enum class Outcome : std::uint8_t {
    Done,
    Abort,    // the transaction did not and cannot succeed
    Unknown,  // brokers did not tell in time; a new producer of the same id settles it
    Fenced,   // another producer took the id over, or the broker took this one for dead
    Fatal,
  };
  Outcome outcome = Outcome::Done;
  std::string why = {};

  [[nodiscard]] bool done() const noexcept { return outcome == Outcome::Done; }
};

/// How long a call is repeated.
struct TransactionPatience {
  std::chrono::steady_clock::time_point deadline;
  const std::atomic<bool>& cut_short;  // true: it is over before long
};

/// Takes the transactional id over: earlier producers are fenced, what they left open is aborted.
[[nodiscard]] TransactionResult init_transactions(rd_kafka_t* producer,
                                                  const TransactionPatience& patience);
[[nodiscard]] TransactionResult begin_transaction(rd_kafka_t* producer);
[[nodiscard]] TransactionResult send_offsets(rd_kafka_t* producer,
                                             const rd_kafka_topic_partition_list_t* offsets,
                                             const GroupMetadata& metadata,
                                             const TransactionPatience& patience);
[[nodiscard]] TransactionResult commit_transaction(rd_kafka_t* producer,
                                                   const TransactionPatience& patience);
/// Serves delivery reports of what is given up.
[[nodiscard]] TransactionResult abort_transaction(rd_kafka_t* producer,
                                                  const TransactionPatience& patience);

}  // namespace kaspar::nodes::kafka
