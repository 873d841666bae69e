#include "runtime/engine/available_cpus.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace kaspar::engine {
namespace {

std::size_t rounded_up(double quota, double period) {
  return static_cast<std::size_t>((quota + period - 1) / period);
}

// This process's own cgroup, as seen from inside a container: mounted at /sys/fs/cgroup.
std::optional<std::size_t> cgroup_quota() {
  double period = 0;
  if (std::ifstream file("/sys/fs/cgroup/cpu.max"); file) {
    std::string quota;
    if (file >> quota >> period && quota != "max" && period > 0) {
      return rounded_up(std::strtod(quota.c_str(), nullptr), period);
    }
    return std::nullopt;
  }
  std::ifstream quota_file("/sys/fs/cgroup/cpu/cpu.cfs_quota_us");
  std::ifstream period_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
  double quota = 0;
  if (quota_file >> quota && period_file >> period && quota > 0 && period > 0) {
    return rounded_up(quota, period);
  }
  return std::nullopt;
}

}  // namespace

std::size_t available_cpus() {
  std::size_t cpus = 1;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    cpus = static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  }
  if (const auto quota = cgroup_quota()) cpus = std::clamp<std::size_t>(*quota, 1, cpus);
  return cpus;
}

}  // namespace kaspar::engine
