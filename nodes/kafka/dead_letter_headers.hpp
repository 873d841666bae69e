// The headers of an error row: why it failed, and where it came from.
#pragma once

#include <rdkafka.h>

#include "runtime/core/batch.hpp"

namespace kaspar::nodes::kafka {

/// Adds `kaspar.stage`, `kaspar.code`, `kaspar.message`, `kaspar.topic`, `kaspar.partition` and
/// `kaspar.offset`, the last three where the source has them.
void add_dead_letter_headers(rd_kafka_headers_t& headers, const DeadLetter& letter);

/// Adds `kaspar.original_size`, for a value that is cut off because the topic takes no larger one.
void add_original_size(rd_kafka_headers_t& headers, std::size_t bytes);

}  // namespace kaspar::nodes::kafka
