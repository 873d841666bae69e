#include "runtime/cli/setting_list.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <utility>

#include "dsl/lex/secrets.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

std::string duration_text(std::chrono::milliseconds time) {
  std::string text;
  append_duration(text, time.count());
  return text;
}

std::string_view mode_text(RunMode mode) {
  switch (mode) {
    case RunMode::Latency:
      return "latency";
    case RunMode::Throughput:
      return "throughput";
    case RunMode::Balanced:
      break;
  }
  return "balanced";
}

class SettingLister {
 public:
  explicit SettingLister(const LoadedSettings& loaded) : loaded_(loaded) {}

  void add(const std::string& section, std::string name, std::string value,
           std::string_view otherwise = "default") {
    Setting setting{.section = section, .name = std::move(name), .value = std::move(value)};
    const auto given = loaded_.origins.find(fmt::format("{}.{}", section, setting.name));
    setting.origin = given != loaded_.origins.end() ? given->second.text : std::string{otherwise};
    setting.secret =
        (given != loaded_.origins.end() && given->second.secret) || dsl::is_secret(setting.name);
    if (setting.secret) setting.value.clear();
    settings_.push_back(std::move(setting));
  }

  void add_kafka(const std::string& section, const KafkaSettings& kafka,
                 std::string_view timeout_otherwise) {
    add(section, "brokers", kafka.brokers);
    add(section, "connect_timeout", duration_text(kafka.connect_timeout), timeout_otherwise);
    for (const auto& [name, value] : kafka.options) add(section + ".options", name, value);
  }

  [[nodiscard]] std::vector<Setting> take() { return std::move(settings_); }

 private:
  const LoadedSettings& loaded_;
  std::vector<Setting> settings_;
};

}  // namespace

std::string size_text(std::size_t bytes) {
  constexpr std::array<std::pair<std::size_t, std::string_view>, 5> units{
      {{1u << 30, "GiB"}, {1u << 20, "MiB"}, {1'000'000, "MB"}, {1u << 10, "KiB"}, {1'000, "kB"}}};
  for (const auto& [factor, unit] : units) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, unit);
  }
  return fmt::format("{}", bytes);
}

std::vector<Setting> list_settings(const LoadedSettings& loaded, std::size_t cpus) {
  const RunSettings& run = loaded.settings;
  SettingLister lister(loaded);
  lister.add_kafka("kafka", run.kafka, "default");
  for (const auto& [name, cluster] : run.clusters) {
    lister.add_kafka("clusters." + name, cluster, "as below `[kafka]`");
  }
  if (run.threads == 0) {
    lister.add("run", "threads", fmt::format("{}", cpus), "default: the CPUs that it may use");
  } else {
    lister.add("run", "threads", fmt::format("{}", run.threads));
  }
  lister.add("run", "memory_budget", size_text(run.memory_budget));
  lister.add("run", "commit_interval", duration_text(run.commit_interval));
  lister.add("run", "shutdown_deadline", duration_text(run.shutdown_deadline));
  lister.add("run", "mode", std::string{mode_text(run.mode)});
  lister.add("run", "instance", run.instance, "default: the host name");
  lister.add("http", "enabled", run.http.enabled ? "true" : "false");
  lister.add("http", "listen", run.http.listen);
  lister.add("http", "tap", loaded.tap ? "true" : "false");
  lister.add("http", "probes", run.http.probes.empty() ? "none" : run.http.probes);
  return lister.take();
}

}  // namespace kaspar::cli
