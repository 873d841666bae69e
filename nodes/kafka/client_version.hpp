// Which librdkafka is linked.
#pragma once

#include <string>

namespace kaspar::nodes::kafka {

/// "2.14.2".
[[nodiscard]] std::string librdkafka_version();

}  // namespace kaspar::nodes::kafka
