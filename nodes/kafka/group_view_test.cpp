#include "nodes/kafka/group_view.hpp"

#include <string>

#include "nodes/kafka/single_record.hpp"
#include "test/unit/catch.hpp"

using namespace kaspar::nodes::kafka;

TEST_CASE("a member's assignment is read, and what is no assignment ends it") {
  using namespace std::string_literals;
  const std::string whole =
      "\0\1"
      "\0\0\0\2"
      "\0\2in"
      "\0\0\0\2"
      "\0\0\0\0"
      "\0\0\0\5"
      "\0\1x"
      "\0\0\0\1"
      "\0\0\0\7"
      "rest"s;
  const std::vector<std::pair<std::string, std::int32_t>> partitions{
      {"in", 0}, {"in", 5}, {"x", 7}};
  CHECK(read_assignment(whole) == partitions);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(read_assignment(std::string_view{whole}.substr(0, size)).size() <= 3);
  }
  CHECK(read_assignment("\0\1\x7f\xff\xff\xff\0\1t\x7f\xff\xff\xff"s).empty());
  CHECK(read_assignment("\0\1\xff\xff\xff\xff"s).empty());
}

TEST_CASE("a key's partition is that of the Java client") {
  // org.apache.kafka.common.utils.Utils.murmur2, made positive, of some keys.
  CHECK(partition_for("murmur2", "21", 1'000'000) == (-973932308 & 0x7fffffff) % 1'000'000);
  CHECK(partition_for("murmur2", "foobar", 1'000'000) == (-790332482 & 0x7fffffff) % 1'000'000);
  CHECK_FALSE(partition_for("murmur2", std::nullopt, 3));
  CHECK_FALSE(partition_for("random", "k", 3));
  CHECK(partition_for("random", "k", 1) == 0);
  CHECK(partition_for("crc32", "k", 7).has_value());
  CHECK(partition_for("fnv1a", "k", 7).has_value());
  CHECK_FALSE(partition_for("murmur2", "k", 0));
}
