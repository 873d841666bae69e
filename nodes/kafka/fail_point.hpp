// Places where a test build can be made to die, to prove that nothing is lost or doubled there; and
// bugs that it can be given, to prove that this would be noticed.
#pragma once

#include <chrono>
#include <string_view>

namespace kaspar::nodes::kafka {

#ifdef KASPAR_FAIL_POINTS
/// Whether something is to fail here: KASPAR_FAIL_POINT is `NAME:COUNT`, and this is the COUNT-th
/// time, or another multiple of it, that the process passes.
[[nodiscard]] bool fault_due(std::string_view name) noexcept;
/// Ends the process as `kill -9` does if a fault is due.
void fail_point(std::string_view name) noexcept;
/// The same, after so long.
void fail_point_after(std::string_view name, std::chrono::milliseconds time) noexcept;
/// Whether KASPAR_PLANTED_BUG names this one.
[[nodiscard]] bool planted_bug(std::string_view name) noexcept;
#else
[[nodiscard]] constexpr bool fault_due(std::string_view) noexcept { return false; }
inline void fail_point(std::string_view) noexcept {}
inline void fail_point_after(std::string_view, std::chrono::milliseconds) noexcept {}
[[nodiscard]] constexpr bool planted_bug(std::string_view) noexcept { return false; }
#endif

}  // namespace kaspar::nodes::kafka
