// What librdkafka says of the options in a profile.
#include "nodes/kafka/settings_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include <rdkafka.h>

namespace kaspar::nodes::kafka {
namespace {

struct Owned {
  std::string_view option;
  std::string_view why;
};

// What delivery rests on, and what the memory budget decides.
constexpr std::array<Owned, 22> owned{{
    {"bootstrap.servers", "it is `brokers` in the section above"},
    {"metadata.broker.list", "it is `brokers` in the section above"},
    {"group.id", "it is the option `group` of a source"},
    {"enable.auto.commit", "kaspar commits what is delivered"},
    {"enable.auto.offset.store", "kaspar commits what is delivered"},
    {"auto.commit.interval.ms", "it is `commit_interval` below `[run]`"},
    {"auto.commit.enable", "kaspar commits what is delivered"},
    {"auto.offset.reset", "it is the option `start` of a source"},
    {"acks", "every record is acknowledged by all in-sync replicas"},
    {"request.required.acks", "every record is acknowledged by all in-sync replicas"},
    {"enable.idempotence", "records are never written twice by themselves"},
    {"enable.gapless.guarantee", "records keep their order whatever is refused"},
    {"transactional.id", "it follows from the group and `instance` below `[run]`"},
    {"isolation.level", "it follows from the guarantee of the file"},
    {"partition.assignment.strategy", "partitions are handed over cooperatively"},
    {"partitioner", "it is the option `partitioner` of a sink"},
    {"queue.buffering.max.messages", "it follows from `memory_budget` below `[run]`"},
    {"queue.buffering.max.kbytes", "it follows from `memory_budget` below `[run]`"},
    {"queued.min.messages", "it follows from `memory_budget` below `[run]`"},
    {"queued.max.messages.kbytes", "it follows from `memory_budget` below `[run]`"},
    {"message.timeout.ms", "records are tried until they are delivered"},
    {"delivery.timeout.ms", "records are tried until they are delivered"},
}};

struct ConfDestroy {
  void operator()(rd_kafka_conf_t* conf) const noexcept { rd_kafka_conf_destroy(conf); }
};

}  // namespace

std::vector<SettingIssue> check_settings(const KafkaSettings& settings) {
  std::vector<SettingIssue> issues;
  const std::unique_ptr<rd_kafka_conf_t, ConfDestroy> conf{rd_kafka_conf_new()};
  for (const auto& [name, value] : settings.options) {
    const auto own = std::ranges::find(owned, name, &Owned::option);
    if (own != owned.end()) {
      issues.push_back({.option = name,
                        .forbidden = true,
                        .message = fmt::format("`{}` is kaspar's own: {}", name, own->why),
                        .help = "leave it out"});
      continue;
    }
    std::array<char, 512> error{};
    const auto result =
        rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), error.data(), error.size());
    if (result == RD_KAFKA_CONF_UNKNOWN) {
      issues.push_back({.option = name, .unknown = true});
    } else if (result != RD_KAFKA_CONF_OK) {
      // The library's own words may repeat the value, and that may be a secret.
      std::string message{error.data()};
      const bool repeats = !value.empty() && message.find(value) != std::string::npos;
      issues.push_back(
          {.option = name,
           .message = repeats ? fmt::format("librdkafka does not take this for `{}`", name)
                              : fmt::format("librdkafka does not take this: {}", message)});
    }
  }
  return issues;
}

std::vector<std::string> setting_names() {
  std::vector<std::string> names;
  const std::unique_ptr<rd_kafka_conf_t, ConfDestroy> conf{rd_kafka_conf_new()};
  std::size_t count = 0;
  const char** const dump = rd_kafka_conf_dump(conf.get(), &count);
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    const std::string_view name = dump[i];
    if (std::ranges::find(owned, name, &Owned::option) == owned.end()) names.emplace_back(name);
  }
  rd_kafka_conf_dump_free(dump, count);
  // The dump leaves out what has no default, and other names for the same.
  for (const char* name :
       {"linger.ms", "compression.type", "sasl.mechanism", "batch.num.messages", "sasl.username",
        "sasl.password", "ssl.ca.location", "ssl.ca.pem", "ssl.certificate.location",
        "ssl.key.location", "ssl.key.password", "ssl.key.pem", "ssl.certificate.pem",
        "group.instance.id", "client.rack", "sasl.oauthbearer.config", "debug"}) {
    if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
  }
  return names;
}

}  // namespace kaspar::nodes::kafka
