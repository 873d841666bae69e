#include "nodes/kafka/fail_point.hpp"

#ifdef KASPAR_FAIL_POINTS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

namespace kaspar::nodes::kafka {
namespace {

struct Chosen {
  Chosen() {
    const char* text = std::getenv("KASPAR_FAIL_POINT");
    if (text == nullptr) return;
    const std::string_view given{text};
    const std::size_t colon = given.find(':');
    name = given.substr(0, colon);
    if (colon == std::string_view::npos) return;
    std::from_chars(given.data() + colon + 1, given.data() + given.size(), passes);
  }
  std::string name;
  unsigned passes = 1;
};

}  // namespace

bool fault_due(std::string_view name) noexcept {
  static const Chosen chosen;
  static std::atomic<unsigned> passed{0};
  return name == chosen.name && chosen.passes != 0 && ++passed % chosen.passes == 0;
}

void fail_point(std::string_view name) noexcept {
  if (fault_due(name)) std::raise(SIGKILL);
}

void fail_point_after(std::string_view name, std::chrono::milliseconds time) noexcept {
  if (!fault_due(name)) return;
  std::this_thread::sleep_for(time);
  std::raise(SIGKILL);
}

bool planted_bug(std::string_view name) noexcept {
  static const char* chosen = std::getenv("KASPAR_PLANTED_BUG");
  return chosen != nullptr && name == chosen;
}

}  // namespace kaspar::nodes::kafka

#endif
