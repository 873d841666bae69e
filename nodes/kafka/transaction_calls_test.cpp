#include "nodes/kafka/transaction_calls.hpp"

#include "test/unit/catch.hpp"

using namespace kaspar::nodes::kafka;

TEST_CASE("transactions are refused with a librdkafka that loses assignments") {
  CHECK(transactions_refused(0x020002ff) == "it needs librdkafka 2.10.1 or newer, this is 2.0.2");
  // What was compiled with an old one is as old, whatever it is linked with.
  constexpr bool old = RD_KAFKA_VERSION < 0x020a01ff;
  CHECK(transactions_refused(0x020a01ff).empty() == !old);
  if (old) return;
  CHECK(transactions_refused(0x020a00ff) == "it needs librdkafka 2.10.1 or newer, this is 2.10.0");
}
