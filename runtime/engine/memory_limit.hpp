// How much memory this process may use.
#pragma once

#include <cstddef>
#include <optional>

namespace kaspar::engine {

/// Bytes that its cgroup allows; nothing where there is no limit below the machine's memory.
[[nodiscard]] std::optional<std::size_t> memory_limit();

}  // namespace kaspar::engine
