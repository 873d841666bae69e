#include "nodes/kafka/offset_tracker.hpp"

#include <future>
#include <thread>

#include "test/unit/catch.hpp"

using namespace kaspar::nodes::kafka;
using namespace std::chrono_literals;

namespace {

/// The watermark of the only partition that has one to commit, else -1.
std::int64_t watermark(const OffsetTracker& tracker) {
  const auto offsets = tracker.uncommitted();
  REQUIRE(offsets.size() <= 1);
  return offsets.empty() ? -1 : offsets.front().offset;
}

}  // namespace

TEST_CASE("only offsets before which everything is done may be committed") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 2);
  const auto epoch = tracker.assign(index);
  tracker.begin(index, epoch, 0, 9);
  tracker.begin(index, epoch, 10, 19);
  tracker.begin(index, epoch, 25, 29);  // compaction left a gap
  CHECK(watermark(tracker) == -1);
  tracker.finish(index, epoch, 10);
  CHECK(watermark(tracker) == -1);
  tracker.finish(index, epoch, 0);
  CHECK(watermark(tracker) == 20);
  tracker.finish(index, epoch, 25);
  CHECK(watermark(tracker) == 30);
  CHECK(tracker.uncommitted().front().topic == "t");
  CHECK(tracker.uncommitted().front().partition == 2);
}

TEST_CASE("what is committed is not committed again, and a failed commit is") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto epoch = tracker.assign(index);
  tracker.begin(index, epoch, 0, 4);
  tracker.finish(index, epoch, 0);
  CHECK(watermark(tracker) == 5);
  CHECK(watermark(tracker) == 5);
  tracker.committed(index, 5);
  CHECK(watermark(tracker) == -1);
  tracker.begin(index, epoch, 5, 5);
  tracker.finish(index, epoch, 5);
  CHECK(watermark(tracker) == 6);
}

TEST_CASE("acknowledgements of an older epoch are ignored") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto old = tracker.assign(index);
  tracker.begin(index, old, 0, 99);
  tracker.revoke(index);
  const auto epoch = tracker.assign(index);
  CHECK(epoch > old);
  tracker.begin(index, epoch, 0, 49);
  tracker.finish(index, old, 0);
  CHECK(watermark(tracker) == -1);
  tracker.begin(index, old, 100, 199);
  tracker.finish(index, epoch, 0);
  CHECK(watermark(tracker) == 50);
}

TEST_CASE("partitions do not hold each other back") {
  OffsetTracker tracker;
  const auto first = tracker.index_of("t", 0);
  const auto second = tracker.index_of("t", 1);
  CHECK(tracker.index_of("t", 0) == first);
  CHECK(tracker.index_of("u", 0) != first);
  const auto first_epoch = tracker.assign(first);
  const auto second_epoch = tracker.assign(second);
  tracker.begin(first, first_epoch, 0, 9);
  tracker.begin(second, second_epoch, 0, 9);
  tracker.finish(second, second_epoch, 0);
  const auto offsets = tracker.uncommitted();
  REQUIRE(offsets.size() == 1);
  CHECK(offsets.front().index == second);
}

TEST_CASE("offsets without records are done once everything before them is") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto epoch = tracker.assign(index);
  tracker.begin(index, epoch, 0, 9);
  tracker.skip_to(index, 12);  // a transaction's markers
  CHECK(watermark(tracker) == -1);
  tracker.finish(index, epoch, 0);
  CHECK(watermark(tracker) == 12);
  tracker.skip_to(index, 12);
  tracker.skip_to(index, 5);
  CHECK(watermark(tracker) == 12);
}

TEST_CASE("a partition is idle once nothing of it is in flight") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto epoch = tracker.assign(index);
  const auto soon = [] { return std::chrono::steady_clock::now() + 1ms; };
  CHECK(tracker.wait_idle(index, soon()));
  tracker.begin(index, epoch, 0, 0);
  tracker.begin(index, epoch, 1, 1);
  CHECK_FALSE(tracker.wait_idle(index, soon()));
  auto idle = std::async(std::launch::async, [&] {
    return tracker.wait_idle(index, std::chrono::steady_clock::now() + 1h);
  });
  tracker.finish(index, epoch, 1);
  tracker.finish(index, epoch, 0);
  CHECK(idle.get());
  // Losing the partition ends the wait too.
  tracker.begin(index, epoch, 2, 2);
  idle = std::async(std::launch::async, [&] {
    return tracker.wait_idle(index, std::chrono::steady_clock::now() + 1h);
  });
  tracker.revoke(index);
  CHECK(idle.get());
}

TEST_CASE("what was discarded is read again from the first offset that is not done") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto epoch = tracker.assign(index);
  CHECK(tracker.idle());
  CHECK(tracker.first_in_flight(index) == -1);
  tracker.begin(index, epoch, 0, 9);
  tracker.begin(index, epoch, 10, 19);
  tracker.begin(index, epoch, 20, 29);
  tracker.finish(index, epoch, 0);
  tracker.finish(index, epoch, 20);
  CHECK_FALSE(tracker.must_rewind());
  tracker.discard(index, epoch);
  CHECK(tracker.must_rewind());
  CHECK_FALSE(tracker.idle());
  CHECK_FALSE(tracker.wait_idle(index, std::chrono::steady_clock::now() + 60s));  // at once
  CHECK(tracker.first_in_flight(index) == 10);
  const auto again = tracker.rewind(index);
  CHECK(again > epoch);
  CHECK_FALSE(tracker.must_rewind());
  CHECK(tracker.idle());
  CHECK(watermark(tracker) == 10);  // what is done stays so
  tracker.begin(index, again, 10, 14);
  tracker.finish(index, epoch, 10);  // late
  tracker.discard(index, epoch);
  CHECK_FALSE(tracker.must_rewind());
  CHECK(watermark(tracker) == 10);
  tracker.finish(index, again, 10);
  CHECK(watermark(tracker) == 15);
}

TEST_CASE("nothing is read again of a partition that was given up") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 0);
  const auto epoch = tracker.assign(index);
  tracker.discard(index, epoch);  // nothing of it is in flight
  CHECK_FALSE(tracker.must_rewind());
  tracker.begin(index, epoch, 0, 9);
  tracker.discard(index, epoch);
  tracker.revoke(index);
  CHECK_FALSE(tracker.must_rewind());
}

TEST_CASE("what is assigned is shown with what is read and committed") {
  OffsetTracker tracker;
  const auto index = tracker.index_of("t", 3);
  CHECK(tracker.partitions().empty());
  const auto epoch = tracker.assign(index);
  REQUIRE(tracker.partitions().size() == 1);
  CHECK(tracker.partitions()[0].read == -1);
  CHECK(tracker.partitions()[0].committed == -1);
  tracker.found_committed(index, 4);
  tracker.begin(index, epoch, 5, 9);
  CHECK(tracker.partitions()[0].read == 10);
  CHECK(tracker.partitions()[0].committed == 4);
  tracker.finish(index, epoch, 5);
  tracker.committed(index, 10);
  CHECK(tracker.partitions()[0].partition == 3);
  CHECK(tracker.partitions()[0].committed == 10);
  tracker.revoke(index);
  CHECK(tracker.partitions().empty());
}
