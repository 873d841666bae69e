// Reads partitions again: from what their group has committed, or from any offset.
#pragma once

#include <rdkafka.h>

#include <vector>

namespace kaspar::nodes::kafka {

/// Asks brokers for the committed offsets of the partitions, which are assigned, sets them in the
/// list, and goes back to those of which something was fetched (`fetched`, in the list's order).
/// Brokers are asked because a transaction may have been committed without this process hearing of
/// it. Blocks while they answer, some seconds at most; whether all of it was done.
[[nodiscard]] bool seek_committed(rd_kafka_t* client, rd_kafka_topic_partition_list_t& partitions,
                                  const std::vector<bool>& fetched);

/// Goes back to the offsets of the list, of partitions that are assigned. As above.
[[nodiscard]] bool seek(rd_kafka_t* client, rd_kafka_topic_partition_list_t& offsets);

}  // namespace kaspar::nodes::kafka
