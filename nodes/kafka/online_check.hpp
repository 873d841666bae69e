// What a cluster lacks of that which a pipeline needs of it, before anything runs.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "nodes/kafka/topic_creation.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// A topic that is read by a group, or, without a group, written.
struct TopicUse {
  std::string topic;
  std::string group;
  std::optional<TopicCreation> create;
};

struct OnlineIssue {
  std::size_t use = 0;  // index into the uses
  std::string option;   // of the endpoint: "topic", "group", "create", "cluster"
  std::string message;
  std::string help;  // may be empty
};

/// Asks a cluster: whether it answers, has the topics, each partition a leader, and lets the user
/// read, write or create them and join the groups. Writes and creates nothing. To connect, and then
/// to ask, takes `connect_timeout` each at most. An EmbeddedBroker grants everything.
[[nodiscard]] std::vector<OnlineIssue> check_online(std::span<const TopicUse> uses,
                                                    const KafkaSettings& settings, EventLog& log);

}  // namespace kaspar::nodes::kafka
