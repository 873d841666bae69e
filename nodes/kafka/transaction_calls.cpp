#include "nodes/kafka/transaction_calls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Outcome = TransactionResult::Outcome;

constexpr int first_version = 0x020a01ff;
/// librdkafka retries by itself within a call; between calls there is little to wait for.
constexpr milliseconds pause{20};
/// A call that goes on where the last one stopped is cut into pieces, so that the deadline counts.
constexpr milliseconds slice{1'000};

TransactionResult result_of(const rd_kafka_error_t* error) {
  TransactionResult result{.why = rd_kafka_error_string(error)};
  const rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  if (code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED) {
    result.outcome = Outcome::Fenced;
  } else if (rd_kafka_error_is_fatal(error) != 0) {
    result.outcome = Outcome::Fatal;
  } else {
    result.outcome = Outcome::Abort;
  }
  return result;
}

/// `call(milliseconds)` makes the call and returns its error, if any.
template <class Call>
TransactionResult repeated(const TransactionPatience& patience, milliseconds longest, Call&& call) {
  while (true) {
    const auto left =
        std::chrono::duration_cast<milliseconds>(patience.deadline - steady_clock::now());
    const ErrorHandle error{call(std::clamp(left, milliseconds{100}, longest))};
    if (!error) return {};
    TransactionResult result = result_of(error.get());
    if (rd_kafka_error_is_retriable(error.get()) == 0) return result;
    if (steady_clock::now() >= patience.deadline || patience.cut_short) {
      result.outcome = Outcome::Unknown;
      return result;
    }
    std::this_thread::sleep_for(pause);
  }
}

int number(milliseconds time) { return static_cast<int>(time.count()); }

}  // namespace

std::string transactions_refused(int linked) {
  const int oldest = std::min(linked, RD_KAFKA_VERSION);
  if (oldest >= first_version) return {};
  return fmt::format("it needs librdkafka 2.10.1 or newer, this is {}.{}.{}", oldest >> 24,
                     (oldest >> 16) & 0xff, (oldest >> 8) & 0xff);
}

std::int32_t generation_of([[maybe_unused]] const GroupMetadata& metadata) {
#if RD_KAFKA_VERSION >= 0x020a01ff
  return metadata ? rd_kafka_consumer_group_metadata_generation_id(metadata.get()) : -1;
#else
  return -1;  // transactions are refused with it
#endif
}

TransactionResult init_transactions(rd_kafka_t* producer, const TransactionPatience& patience) {
  return repeated(patience, slice, [&](milliseconds time) {
    return rd_kafka_init_transactions(producer, number(time));
  });
}

TransactionResult begin_transaction(rd_kafka_t* producer) {
  const std::atomic<bool> once{true};  // it asks nobody
  return repeated({.deadline = steady_clock::now(), .cut_short = once}, slice,
                  [&](milliseconds) { return rd_kafka_begin_transaction(producer); });
}

TransactionResult send_offsets(rd_kafka_t* producer, const rd_kafka_topic_partition_list_t* offsets,
                               const GroupMetadata& metadata, const TransactionPatience& patience) {
  return repeated(patience, slice, [&](milliseconds time) {
    return rd_kafka_send_offsets_to_transaction(producer, offsets, metadata.get(), number(time));
  });
}

// Its time-out makes the transaction fail here while brokers may have committed it: never cut
// short.
TransactionResult commit_transaction(rd_kafka_t* producer, const TransactionPatience& patience) {
  const auto whole =
      std::chrono::duration_cast<milliseconds>(patience.deadline - steady_clock::now()) +
      milliseconds{100};
  TransactionResult result = repeated(
      patience, std::max(whole, milliseconds{100}),
      [&](milliseconds time) { return rd_kafka_commit_transaction(producer, number(time)); });
  if (result.outcome == Outcome::Abort && steady_clock::now() >= patience.deadline) {
    result.outcome = Outcome::Unknown;
  }
  return result;
}

TransactionResult abort_transaction(rd_kafka_t* producer, const TransactionPatience& patience) {
  return repeated(patience, slice, [&](milliseconds time) {
    return rd_kafka_abort_transaction(producer, number(time));
  });
}

}  // namespace kaspar::nodes::kafka
