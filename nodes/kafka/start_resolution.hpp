// Turns `start: latest` and `start: TIMESTAMP` into offsets when partitions are assigned.
#pragma once

#include <rdkafka.h>

#include <expected>
#include <span>

#include "nodes/kafka/consumer.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes::kafka {

struct StartRules {
  bool strict = false;      // the client takes any offset out of range for an error
  bool commit_all = false;  // every partition is to have a committed offset
};

/// Sets the offset of each partition of which the group has committed nothing, and commits it, so
/// that a later assignment does not resolve it anew and skip what came in between. `earliest` needs
/// none of it without these rules: that is what the client does by itself. Blocks while brokers
/// answer, at most some 15 s; with `commit_all` as long as an earlier owner's transaction, which
/// may hold offsets, can be open.
[[nodiscard]] std::expected<void, Failure> resolve_starts(
    rd_kafka_t* client, std::span<const Subscription> subscriptions, StartRules rules,
    rd_kafka_topic_partition_list_t& partitions);

}  // namespace kaspar::nodes::kafka
