// Options of a profile, as librdkafka sees them: nothing is connected.
#pragma once

#include <string>
#include <vector>

#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::kafka {

/// Options that librdkafka does not know or whose value it refuses, and those that kaspar owns. No
/// message repeats a value.
[[nodiscard]] std::vector<SettingIssue> check_settings(const KafkaSettings& settings);

/// The names of librdkafka's properties, but for those that kaspar owns.
[[nodiscard]] std::vector<std::string> setting_names();

}  // namespace kaspar::nodes::kafka
