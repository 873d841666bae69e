#include "nodes/kafka/rewind.hpp"

#include "nodes/kafka/fail_point.hpp"
#include "nodes/kafka/handles.hpp"

namespace kaspar::nodes::kafka {
namespace {

constexpr int rewind_timeout = 3'000;

}  // namespace

bool seek_committed(rd_kafka_t* client, rd_kafka_topic_partition_list_t& partitions,
                    const std::vector<bool>& fetched) {
  if (partitions.cnt == 0) return true;
  if (rd_kafka_committed(client, &partitions, rewind_timeout) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return false;
  }
  const PartitionList sought = make_partition_list();
  for (int i = 0; i < partitions.cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = partitions.elems[i];
    // Every partition got an offset before it was read.
    if (partition.err != RD_KAFKA_RESP_ERR_NO_ERROR || partition.offset < 0) return false;
    // What was not fetched of a partition is where it was.
    if (!fetched[static_cast<std::size_t>(i)]) continue;
    rd_kafka_topic_partition_list_add(sought.get(), partition.topic, partition.partition)->offset =
        partition.offset;
  }
  return seek(client, *sought);
}

bool seek(rd_kafka_t* client, rd_kafka_topic_partition_list_t& offsets) {
  if (offsets.cnt == 0 || planted_bug("no_rewind")) return true;
  // Before 2.1.0 a time-out counts in microseconds.
  const int timeout = rd_kafka_version() < 0x020100ff ? -1 : rewind_timeout;
  const ErrorHandle error{rd_kafka_seek_partitions(client, &offsets, timeout)};
  if (error) return false;
  for (int i = 0; i < offsets.cnt; ++i) {
    if (offsets.elems[i].err != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  }
  return true;
}

}  // namespace kaspar::nodes::kafka
