// Which records a broker refuses for what they are, and will refuse again.
#pragma once

#include <rdkafka.h>

namespace kaspar::nodes::kafka {

/// Whether it is another record of the request that was refused, as the broker tells.
[[nodiscard]] constexpr bool is_innocent(rd_kafka_resp_err_t code) noexcept {
  // RD_KAFKA_RESP_ERR__INVALID_DIFFERENT_RECORD, which older versions do not have.
  return static_cast<int>(code) == -138;
}

/// Whether a record was given up because it, or another one of its request, is not to be had by its
/// topic: a broker refuses a partition's part of a request as a whole. Trying again does not help.
[[nodiscard]] constexpr bool is_refusal(rd_kafka_resp_err_t code) noexcept {
  switch (code) {
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:  // no key for a compacted topic
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
      return true;
    default:
      return is_innocent(code);
  }
}

/// Whether brokers tell which records of a request they refuse for this, and not only that they
/// refuse it.
[[nodiscard]] constexpr bool tells_records_apart(rd_kafka_resp_err_t code) noexcept {
  return code == RD_KAFKA_RESP_ERR_INVALID_RECORD || code == RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP;
}

}  // namespace kaspar::nodes::kafka
