#include "nodes/kafka/group_view.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <string_view>

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::size_t most_members = 1'000;
constexpr std::size_t most_partitions = 10'000;

using Groups = std::unique_ptr<const rd_kafka_group_list, Destroy<rd_kafka_group_list_destroy>>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, Destroy<rd_kafka_metadata_destroy>>;

int left(steady_clock::time_point deadline) {
  const auto time = std::chrono::duration_cast<milliseconds>(deadline - steady_clock::now());
  return static_cast<int>(std::max<milliseconds::rep>(1, time.count()));
}

PartitionList list_of(const std::vector<PartitionSnapshot>& partitions) {
  PartitionList list = make_partition_list(partitions.size());
  for (const PartitionSnapshot& partition : partitions) {
    rd_kafka_topic_partition_list_add(list.get(), partition.topic.c_str(), partition.partition);
  }
  return list;
}

std::string member_id(rd_kafka_t* client) {
  char* text = rd_kafka_memberid(client);
  if (text == nullptr) return {};
  std::string id{text};
  rd_kafka_mem_free(client, text);
  return id;
}

/// Numbers and texts of Kafka's protocol, in network order.
class ProtocolReader {
 public:
  explicit ProtocolReader(std::string_view bytes) : bytes_(bytes) {}

  std::optional<std::int32_t> integer(std::size_t size) {
    if (bytes_.size() < size) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < size; ++i) {
      value = value << 8 | static_cast<std::uint8_t>(bytes_[i]);
    }
    bytes_.remove_prefix(size);
    return size == 2 ? std::int32_t{static_cast<std::int16_t>(value)}
                     : static_cast<std::int32_t>(value);
  }
  std::optional<std::string> text() {
    const auto size = integer(2);
    if (!size || *size < 0 || bytes_.size() < static_cast<std::size_t>(*size)) return std::nullopt;
    std::string text{bytes_.substr(0, static_cast<std::size_t>(*size))};
    bytes_.remove_prefix(text.size());
    return text;
  }

 private:
  std::string_view bytes_;
};

}  // namespace

std::vector<std::pair<std::string, std::int32_t>> read_assignment(std::string_view bytes) {
  std::vector<std::pair<std::string, std::int32_t>> partitions;
  ProtocolReader reader(bytes);
  if (!reader.integer(2)) return partitions;  // the version, of which all begin like this
  const auto topics = reader.integer(4);
  for (std::int32_t t = 0; topics && t < *topics; ++t) {
    const auto topic = reader.text();
    const auto count = reader.integer(4);
    if (!topic || !count) return partitions;
    for (std::int32_t p = 0; p < *count; ++p) {
      const auto partition = reader.integer(4);
      if (!partition || partitions.size() == most_partitions) return partitions;
      partitions.emplace_back(*topic, *partition);
    }
  }
  return partitions;
}

void GroupView::describe(SourceSnapshot& snapshot) const {
  snapshot.assigned = consumer_.assigned_once();
  snapshot.group = consumer_.group();
  snapshot.rebalances = consumer_.rebalances();
  snapshot.commits = tracker_.commits().times.counts();
  snapshot.commit_failures = tracker_.commits().failures;
  snapshot.unreachable = consumer_.all_down();
  snapshot.partitions = tracker_.partitions();
  const std::lock_guard lock(mutex_);
  for (PartitionSnapshot& partition : snapshot.partitions) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    if (rd_kafka_get_watermark_offsets(consumer_.client(), partition.topic.c_str(),
                                       partition.partition, &low,
                                       &high) == RD_KAFKA_RESP_ERR_NO_ERROR) {
      partition.end = std::max<std::int64_t>(high, -1);
    }
    if (const auto found = ends_.find({partition.topic, partition.partition});
        found != ends_.end()) {
      partition.end = std::max(partition.end, found->second);
    }
  }
  snapshot.members = members_;
  snapshot.brokers = brokers_;
}

void GroupView::look_around(milliseconds within, bool members) {
  const auto deadline = steady_clock::now() + within;
  const rd_kafka_metadata_t* raw = nullptr;
  const bool answered = rd_kafka_metadata(consumer_.client(), 0, nullptr, &raw, left(deadline)) ==
                        RD_KAFKA_RESP_ERR_NO_ERROR;
  const Metadata metadata{raw};
  consumer_.all_down() = !answered;
  if (!answered) return;
  {
    const std::lock_guard lock(mutex_);
    brokers_ = static_cast<std::size_t>(std::max(0, metadata->broker_cnt));
  }
  find_offsets(deadline);
  if (members) find_members(deadline);
}

void GroupView::find_offsets(steady_clock::time_point deadline) {
  const std::vector<PartitionSnapshot> partitions = tracker_.partitions();
  if (partitions.empty()) return;
  std::vector<PartitionSnapshot> unknown;
  for (const PartitionSnapshot& partition : partitions) {
    if (partition.committed < 0) unknown.push_back(partition);
  }
  if (!unknown.empty()) {
    const PartitionList committed = list_of(unknown);
    if (rd_kafka_committed(consumer_.client(), committed.get(), left(deadline)) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
      for (int i = 0; i < committed->cnt; ++i) {
        const rd_kafka_topic_partition_t& found = committed->elems[i];
        if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || found.offset < 0) continue;
        tracker_.found_committed(tracker_.index_of(found.topic, found.partition), found.offset);
      }
    }
  }
  const PartitionList ends = list_of(partitions);
  for (int i = 0; i < ends->cnt; ++i) ends->elems[i].offset = RD_KAFKA_OFFSET_END;
  if (rd_kafka_offsets_for_times(consumer_.client(), ends.get(), left(deadline)) !=
      RD_KAFKA_RESP_ERR_NO_ERROR) {
    return;
  }
  const std::lock_guard lock(mutex_);
  ends_.clear();
  for (int i = 0; i < ends->cnt; ++i) {
    const rd_kafka_topic_partition_t& found = ends->elems[i];
    if (found.err != RD_KAFKA_RESP_ERR_NO_ERROR || found.offset < 0) continue;
    ends_[{found.topic, found.partition}] = found.offset;
  }
}

void GroupView::find_members(steady_clock::time_point deadline) {
  const rd_kafka_group_list* raw = nullptr;
  const rd_kafka_resp_err_t code =
      rd_kafka_list_groups(consumer_.client(), consumer_.group().c_str(), &raw, left(deadline));
  const Groups groups{raw};
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR || !groups) return;
  const std::string self = member_id(consumer_.client());
  std::vector<MemberSnapshot> members;
  for (int g = 0; g < groups->group_cnt; ++g) {
    const rd_kafka_group_info& group = groups->groups[g];
    if (group.group == nullptr || consumer_.group() != group.group) continue;
    for (int m = 0; m < group.member_cnt && members.size() < most_members; ++m) {
      const rd_kafka_group_member_info& member = group.members[m];
      const auto text = [](const char* value) {
        return value == nullptr ? std::string{} : std::string{value};
      };
      MemberSnapshot& added =
          members.emplace_back(MemberSnapshot{.id = text(member.member_id),
                                              .client = text(member.client_id),
                                              .host = text(member.client_host)});
      added.self = !self.empty() && added.id == self;
      if (member.member_assignment != nullptr && member.member_assignment_size > 0) {
        added.partitions =
            read_assignment({static_cast<const char*>(member.member_assignment),
                             static_cast<std::size_t>(member.member_assignment_size)});
      }
    }
  }
  const std::lock_guard lock(mutex_);
  members_ = std::move(members);
}

}  // namespace kaspar::nodes::kafka
