// The option `create` of a sink.
#pragma once

#include <optional>

#include "runtime/core/value.hpp"

namespace kaspar::nodes::kafka {

struct TopicCreation {
  int partitions = 3;
  int replication = 1;
};

/// Of a sink's options; nothing where it creates no topic.
[[nodiscard]] std::optional<TopicCreation> topic_creation(const Params& params);

}  // namespace kaspar::nodes::kafka
