// Turns `start: latest` and `start: TIMESTAMP` into offsets when partitions are assigned.
#pragma once

#include <rdkafka.h>

#include <expected>
#include <span>

#include "nodes/kafka/consumer.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes::kafka {

/// Sets the offset of each partition of which the group has committed nothing, and commits it, so
/// that a later assignment does not resolve it anew and skip what came in between. `earliest` needs
/// none of it: that is what the client does by itself, unless it is configured to take any offset
/// out of range for an error (`strict`). Blocks while brokers answer, at most some
/// 15 s.
[[nodiscard]] std::expected<void, Failure> resolve_starts(
    rd_kafka_t* client, std::span<const Subscription> subscriptions, bool strict,
    rd_kafka_topic_partition_list_t& partitions);

}  // namespace kaspar::nodes::kafka
