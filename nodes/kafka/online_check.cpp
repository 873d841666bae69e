#include "nodes/kafka/online_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "nodes/kafka/cluster_probe.hpp"

namespace kaspar::nodes::kafka {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A topic that was just created is known to its broker a little later.
constexpr milliseconds propagation{1'000};

class OnlineCheck {
 public:
  OnlineCheck(const KafkaSettings& settings, EventLog& log)
      : settings_(settings), brokers_(settings.brokers), probe_(settings_, log) {}

  std::vector<OnlineIssue> run(std::span<const TopicUse> uses) {
    if (auto connected = probe_.connect(); !connected) {
      add(0, "cluster", std::move(connected.error()));
      return std::move(issues_);
    }
    deadline_ = steady_clock::now() + settings_.connect_timeout;
    known_by_ = steady_clock::now() + propagation;
    for (std::size_t i = 0; i < uses.size(); ++i) {
      topic(i, uses[i]);
      if (!uses[i].group.empty()) group(i, uses[i].group);
    }
    return std::move(issues_);
  }

 private:
  void add(std::size_t use, std::string option, Failure failure) {
    issues_.push_back({.use = use,
                       .option = std::move(option),
                       .message = std::move(failure.message),
                       .help = std::move(failure.help)});
  }

  /// What is left of the time is the time that the next question may take.
  void limit() {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
    settings_.connect_timeout = std::max(left, milliseconds{1});
  }

  void topic(std::size_t index, const TopicUse& use) {
    limit();
    auto state = probe_.topic(use.topic);
    while (state && !*state && steady_clock::now() < known_by_) {
      std::this_thread::sleep_for(milliseconds{50});
      state = probe_.topic(use.topic);
    }
    if (!state) return add(index, "topic", std::move(state.error()));
    if (!*state) return missing(index, use);
    if (const auto& leaderless = (*state)->leaderless; !leaderless.empty()) {
      add(index, "topic",
          {.message = fmt::format("of the topic `{}` at `{}` {} no leader", use.topic, brokers_,
                                  leaderless.size() == 1
                                      ? fmt::format("partition {} has", leaderless.front())
                                      : fmt::format("{} partitions have", leaderless.size())),
           .help = "brokers that hold them are down"});
    }
    limit();
    const auto granted = probe_.topic_operations(use.topic);
    const bool reads = !use.group.empty();
    if (!granted || (reads ? granted->read : granted->write)) return;
    add(index, "topic",
        {.message = fmt::format("the topic `{}` at `{}` may not be {}", use.topic, brokers_,
                                reads ? "read" : "written"),
         .help = fmt::format("have `{}` on it granted to the user of the profile",
                             reads ? "Read" : "Write")});
  }

  void missing(std::size_t index, const TopicUse& use) {
    if (!use.create) {
      const bool sink = use.group.empty();
      return add(index, "topic",
                 missing_topic(use.topic, brokers_,
                               sink ? "create it, or add `create: { partitions = 3 }`"
                                    : "create it, or correct the name"));
    }
    limit();
    auto may = probe_.may_create(use.topic, use.create->partitions, use.create->replication);
    if (!may) add(index, "create", std::move(may.error()));
  }

  void group(std::size_t index, const std::string& group) {
    const bool asked = std::ranges::find(groups_, group) != groups_.end();
    if (asked) return;
    groups_.push_back(group);
    limit();
    const auto granted = probe_.group_operations(group);
    if (!granted || granted->read) return;
    add(index, "group",
        {.message = fmt::format("the group `{}` at `{}` may not be joined", group, brokers_),
         .help = "have `Read` on it granted to the user of the profile"});
  }

  KafkaSettings settings_;
  std::string brokers_;
  ClusterProbe probe_;
  steady_clock::time_point deadline_;
  steady_clock::time_point known_by_;  // topics that were made before the check began
  std::vector<std::string> groups_;
  std::vector<OnlineIssue> issues_;
};

}  // namespace

std::vector<OnlineIssue> check_online(std::span<const TopicUse> uses, const KafkaSettings& settings,
                                      EventLog& log) {
  if (uses.empty()) return {};
  return OnlineCheck(settings, log).run(uses);
}

}  // namespace kaspar::nodes::kafka
