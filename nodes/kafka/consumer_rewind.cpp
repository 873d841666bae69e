// How a consumer reads again what was aborted, or discarded because a record was refused.
#include <algorithm>
#include <string>

#include "nodes/kafka/consumer.hpp"
#include "nodes/kafka/rewind.hpp"

namespace kaspar::nodes::kafka {
namespace {

/// Reads on at the offset, in a new epoch.
void begin_again(Assignment& assignment, std::uint64_t epoch, std::int64_t offset) {
  assignment = {.epoch = epoch,
                .subscription = assignment.subscription,
                .position = offset,
                .batches_until = assignment.batches_until,
                .records_until = assignment.records_until};
}

}  // namespace

// What fails is tried again by the next call.
void Consumer::rewind() {
  const PartitionList partitions = make_partition_list();
  std::vector<bool> fetched;
  for (std::uint32_t index = 0; index < assignments_.size(); ++index) {
    if (!assignments_[index]) continue;
    rd_kafka_topic_partition_list_add(partitions.get(), std::string{tracker_.topic(index)}.c_str(),
                                      tracker_.partition(index));
    fetched.push_back(assignments_[index]->fetched);
  }
  if (!seek_committed(client_.get(), *partitions, fetched)) return;
  for (int i = 0; i < partitions->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = partitions->elems[i];
    const std::uint32_t index = tracker_.index_of(partition.topic, partition.partition);
    Assignment& assignment = *assignments_[index];
    if (transaction_->refused()) take_care(assignment);
    begin_again(assignment, tracker_.assign(index), partition.offset);
  }
  transaction_->rewound();
  caution_ = Caution::Record;  // until it is looked up
  found_ = false;
  log().write(LogLevel::Info, "partitions_rewound",
              "partitions are read again from their committed offsets",
              {{"count", std::to_string(partitions->cnt)}});
}

void Consumer::rewind_discarded() {
  const PartitionList offsets = make_partition_list();
  for (std::uint32_t index = 0; index < assignments_.size(); ++index) {
    const std::int64_t first = tracker_.first_in_flight(index);
    if (!assignments_[index] || first < 0) continue;
    rd_kafka_topic_partition_list_add(offsets.get(), std::string{tracker_.topic(index)}.c_str(),
                                      tracker_.partition(index))
        ->offset = first;
  }
  if (!seek(client_.get(), *offsets)) return;
  for (int i = 0; i < offsets->cnt; ++i) {
    const rd_kafka_topic_partition_t& partition = offsets->elems[i];
    const std::uint32_t index = tracker_.index_of(partition.topic, partition.partition);
    Assignment& assignment = *assignments_[index];
    take_care(assignment);
    begin_again(assignment, tracker_.rewind(index), partition.offset);
  }
  ++attempt_;
  caution_ = Caution::Record;
  found_ = false;
  log().write(LogLevel::Info, "partitions_rewound",
              "partitions are read again from what is not delivered",
              {{"count", std::to_string(offsets->cnt)}});
}

// The batch that was refused is known if it was read with care: nothing else was in flight.
void Consumer::take_care(Assignment& assignment) const noexcept {
  std::int64_t& until =
      caution_ == Caution::None || found_ ? assignment.batches_until : assignment.records_until;
  until = std::max(until, assignment.position);
}

Caution Consumer::caution() noexcept {
  if (caution_ == Caution::None) return caution_;
  caution_ = Caution::None;
  for (const std::optional<Assignment>& assignment : assignments_) {
    if (!assignment) continue;
    if (assignment->position < assignment->records_until) return caution_ = Caution::Record;
    if (assignment->position < assignment->batches_until) caution_ = Caution::Batch;
  }
  return caution_;
}

}  // namespace kaspar::nodes::kafka
