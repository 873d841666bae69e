#include "nodes/kafka/start_resolution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <thread>

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int start_query_timeout = 3'000;
constexpr milliseconds resolution_patience{15'000};  // less than a shutdown may take
/// A transaction's time-out, and as long until brokers look for those that are over.
constexpr milliseconds transactional_patience{40'000};

const Subscription* subscription_of(std::span<const Subscription> subscriptions,
                                    std::string_view topic) {
  const auto found = std::ranges::find(subscriptions, topic, &Subscription::topic);
  return found == subscriptions.end() ? nullptr : &*found;
}

rd_kafka_resp_err_t first_offset(rd_kafka_t* client, const StartOffset& start,
                                 rd_kafka_topic_partition_t& partition) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  const rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
      client, partition.topic, partition.partition, &low, &high, start_query_timeout);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return code;
  partition.offset = start.kind == StartOffset::Kind::Earliest ? low : high;
  if (start.kind != StartOffset::Kind::Timestamp) return code;
  const PartitionList times = make_partition_list(1);
  rd_kafka_topic_partition_list_add(times.get(), partition.topic, partition.partition)->offset =
      start.timestamp;
  const rd_kafka_resp_err_t asked =
      rd_kafka_offsets_for_times(client, times.get(), start_query_timeout);
  if (asked != RD_KAFKA_RESP_ERR_NO_ERROR) return asked;
  if (times->elems[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) return times->elems[0].err;
  // Negative: no record is that young.
  if (times->elems[0].offset >= 0) partition.offset = times->elems[0].offset;
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

rd_kafka_resp_err_t resolve(rd_kafka_t* client, std::span<const Subscription> subscriptions,
                            StartRules rules, rd_kafka_topic_partition_list_t& partitions) {
  const PartitionList committed{rd_kafka_topic_partition_list_copy(&partitions)};
  rd_kafka_resp_err_t code = rd_kafka_committed(client, committed.get(), start_query_timeout);
  const PartitionList first = make_partition_list();
  for (int i = 0; code == RD_KAFKA_RESP_ERR_NO_ERROR && i < partitions.cnt; ++i) {
    rd_kafka_topic_partition_t& partition = partitions.elems[i];
    const Subscription* subscription = subscription_of(subscriptions, partition.topic);
    const rd_kafka_topic_partition_t* known =
        rd_kafka_topic_partition_list_find(committed.get(), partition.topic, partition.partition);
    if (subscription == nullptr || known == nullptr) continue;
    code = known->err;
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR || known->offset >= 0) continue;
    if (subscription->start.kind == StartOffset::Kind::Earliest && !rules.commit_all) {
      partition.offset = RD_KAFKA_OFFSET_BEGINNING;
      continue;
    }
    code = first_offset(client, subscription->start, partition);
    rd_kafka_topic_partition_list_add(first.get(), partition.topic, partition.partition)->offset =
        partition.offset;
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || first->cnt == 0) return code;
  return rd_kafka_commit(client, first.get(), 0);
}

}  // namespace

std::expected<void, Failure> resolve_starts(rd_kafka_t* client,
                                            std::span<const Subscription> subscriptions,
                                            StartRules rules,
                                            rd_kafka_topic_partition_list_t& partitions) {
  if (!rules.strict && !rules.commit_all &&
      std::ranges::all_of(subscriptions, [](const Subscription& subscription) {
        return subscription.start.kind == StartOffset::Kind::Earliest;
      })) {
    return {};
  }
  const auto deadline =
      steady_clock::now() + (rules.commit_all ? transactional_patience : resolution_patience);
  while (true) {
    const rd_kafka_resp_err_t code = resolve(client, subscriptions, rules, partitions);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return {};
    if (steady_clock::now() > deadline) {
      return std::unexpected(
          Failure{.message = fmt::format("where to start cannot be found out: {}",
                                         rd_kafka_err2str(code))});
    }
    std::this_thread::sleep_for(milliseconds{500});
  }
}

}  // namespace kaspar::nodes::kafka
