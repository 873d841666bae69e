#include "runtime/core/latency_histogram.hpp"

#include "runtime/core/run_snapshot.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar;
using namespace std::chrono_literals;

TEST_CASE("durations are counted in their buckets, and shares are found again") {
  LatencyHistogram histogram;
  CHECK(histogram.counts().quantile(0.5) < 0);
  for (int i = 0; i < 90; ++i) histogram.add(2ms);
  const LatencyCounts before = histogram.counts();
  for (int i = 0; i < 10; ++i) histogram.add(40ms);
  histogram.add(-5ms);   // clocks of two machines
  histogram.add(2000s);  // more than the last bound
  const LatencyCounts counts = histogram.counts();
  CHECK(counts.count() == 102);
  CHECK(counts.sum > 2000);
  CHECK(counts.buckets[0] == 1);
  CHECK(counts.buckets.back() == 1);
  CHECK(counts.quantile(0.5) > 0.001);
  CHECK(counts.quantile(0.5) <= 0.0025);
  CHECK(counts.quantile(0.95) > 0.025);
  CHECK(counts.quantile(0.95) <= 0.05);
  CHECK(counts.quantile(1) == latency_bounds.back());
  CHECK(counts.since(before).count() == 12);
  CHECK(counts.since(before).buckets[3] == 0);
}

TEST_CASE("a partition's lag is what is not committed, as far as it is known") {
  CHECK(PartitionSnapshot{.read = 8, .committed = 5, .end = 9}.lag() == 4);
  CHECK(PartitionSnapshot{.read = 8, .end = 9}.lag() == 1);
  CHECK(PartitionSnapshot{.committed = 9, .end = 7}.lag() == 0);
  CHECK(PartitionSnapshot{.committed = 5}.lag() == -1);
  CHECK(PartitionSnapshot{.end = 5}.lag() == -1);
}
