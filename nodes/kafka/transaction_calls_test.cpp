#include "nodes/kafka/transaction_calls.hpp"

#include <rdkafka_mock.h>

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "test/unit/catch.hpp"

using namespace kaspar::nodes::kafka;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

#if RD_KAFKA_VERSION >= 0x020a01ff  // of what the last case needs

namespace {

/// A producer whose cluster of three brokers is in this process.
ClientHandle make_producer() {
  std::string why(512, '\0');
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  for (const auto& [name, value] : {std::pair{"test.mock.num.brokers", "3"},
                                    {"transactional.id", "t"},
                                    {"transaction.timeout.ms", "20000"}}) {
    REQUIRE(rd_kafka_conf_set(configuration, name, value, why.data(), why.size()) ==
            RD_KAFKA_CONF_OK);
  }
  ClientHandle producer{rd_kafka_new(RD_KAFKA_PRODUCER, configuration, why.data(), why.size())};
  REQUIRE(producer);
  return producer;
}

}  // namespace

#endif

TEST_CASE("transactions are refused with a librdkafka that loses assignments") {
  CHECK(transactions_refused(0x020002ff) == "it needs librdkafka 2.10.1 or newer, this is 2.0.2");
  // What was compiled with an old one is as old, whatever it is linked with.
  constexpr bool old = RD_KAFKA_VERSION < 0x020a01ff;
  CHECK(transactions_refused(0x020a01ff).empty() == !old);
  if (old) return;
  CHECK(transactions_refused(0x020a00ff) == "it needs librdkafka 2.10.1 or newer, this is 2.10.0");
}

#if RD_KAFKA_VERSION >= 0x020a01ff

TEST_CASE("offsets of a transaction wait for a lost group coordinator no longer than they may") {
  const ClientHandle producer = make_producer();
  rd_kafka_mock_cluster_t* cluster = rd_kafka_handle_mock_cluster(producer.get());
  REQUIRE(cluster != nullptr);
  const std::atomic<bool> cut_short{false};
  const auto within = [&](std::chrono::milliseconds time) {
    return TransactionPatience{.deadline = Clock::now() + time, .cut_short = cut_short};
  };
  REQUIRE(rd_kafka_mock_topic_create(cluster, "in", 1, 3) == RD_KAFKA_RESP_ERR_NO_ERROR);
  rd_kafka_mock_coordinator_set(cluster, "transaction", "t", 1);
  rd_kafka_mock_coordinator_set(cluster, "group", "g", 2);
  const PartitionList offsets = make_partition_list(1);
  rd_kafka_topic_partition_list_add(offsets.get(), "in", 0)->offset = 7;
  const GroupMetadata group{rd_kafka_consumer_group_metadata_new("g")};
  const auto sent = [&] {
    REQUIRE(begin_transaction(producer.get()).done());
    return send_offsets(producer.get(), offsets.get(), group, within(3s));
  };
  REQUIRE(init_transactions(producer.get(), within(20s)).done());
  REQUIRE(sent().done());  // the coordinator is known now
  REQUIRE(commit_transaction(producer.get(), within(20s)).done());

  rd_kafka_mock_broker_set_down(cluster, 2);
  const auto start = Clock::now();
  const TransactionResult result = sent();
  CHECK(!result.done());
  CHECK(Clock::now() - start < 10s);
  REQUIRE(abort_transaction(producer.get(), within(20s)).done());

  // It is found where it is then, though the broker that it was on stays away.
  rd_kafka_mock_coordinator_set(cluster, "group", "g", 3);
  bool done = false;
  for (const auto end = Clock::now() + 30s; !done && Clock::now() < end;) {
    done = sent().done();
    REQUIRE((done ? commit_transaction(producer.get(), within(20s))
                  : abort_transaction(producer.get(), within(20s)))
                .done());
  }
  CHECK(done);
}

#endif
