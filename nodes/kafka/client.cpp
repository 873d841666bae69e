#include "nodes/kafka/client.hpp"

#include <fmt/format.h>
#include <syslog.h>

#include <array>
#include <cstring>

#include "nodes/kafka/client_version.hpp"

namespace kaspar::nodes::kafka {
namespace {

constexpr std::chrono::seconds repeat_after{10};

LogLevel level_of(int level) {
  if (level <= LOG_ERR) return LogLevel::Error;
  if (level <= LOG_WARNING) return LogLevel::Warning;
  return level <= LOG_INFO ? LogLevel::Info : LogLevel::Debug;
}

class ConfigurationBuilder {
 public:
  ConfigurationBuilder() : conf_(rd_kafka_conf_new()) {}
  ConfigurationBuilder(const ConfigurationBuilder&) = delete;
  ConfigurationBuilder& operator=(const ConfigurationBuilder&) = delete;
  ~ConfigurationBuilder() {
    if (conf_ != nullptr) rd_kafka_conf_destroy(conf_);
  }

  /// What librdkafka has against it, if anything.
  std::optional<std::string> set(const std::string& name, const std::string& value) {
    std::array<char, 512> error{};
    const auto result =
        rd_kafka_conf_set(conf_, name.c_str(), value.c_str(), error.data(), error.size());
    if (result == RD_KAFKA_CONF_OK) return std::nullopt;
    return std::string{error.data()};
  }

  [[nodiscard]] rd_kafka_conf_t* get() noexcept { return conf_; }
  void taken() noexcept { conf_ = nullptr; }

 private:
  rd_kafka_conf_t* conf_;
};

}  // namespace

struct ClientCallbacks {
  static void on_log(const rd_kafka_t* client, int level, const char* facility, const char* text) {
    // Failed connections and requests come as errors too.
    if (std::strcmp(facility, "FAIL") == 0 || std::strcmp(facility, "ERROR") == 0) {
      level = LOG_DEBUG;
    }
    // That it is experimental, and that it does what it is set for (see the producer).
    if (std::strstr(text, "gapless") != nullptr || std::strstr(text, "Gap-less") != nullptr) {
      level = LOG_DEBUG;
    }
    auto& link = *static_cast<ClientEvents::Link*>(rd_kafka_opaque(client));
    const std::lock_guard lock(link.mutex);
    if (link.events != nullptr) link.events->heard(level, text);
  }

  static void on_error(rd_kafka_t* client, int code, const char* reason, void* opaque) {
    ClientEvents::owner<ClientEvents>(opaque).error(client, static_cast<rd_kafka_resp_err_t>(code),
                                                    reason);
  }

  static void* opaque(const ClientEvents& events) { return events.link_.get(); }
};

void ClientEvents::disown() noexcept {
  Link& link = *link_.release();  // the client's own from now on
  const std::lock_guard lock(link.mutex);
  link.events = nullptr;
}

std::optional<std::string> ClientEvents::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

void ClientEvents::forget_fatal() {
  const std::lock_guard lock(mutex_);
  fatal_.reset();
}

std::string ClientEvents::last_trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

void ClientEvents::connected() noexcept {
  const std::lock_guard lock(mutex_);
  connected_ = true;
}

void ClientEvents::heard(int level, const char* text) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (!connected_ && level <= LOG_WARNING) {
      trouble_ = text;
      return;
    }
  }
  log_.write(level_of(level), "librdkafka", text);
}

void ClientEvents::error(rd_kafka_t* client, rd_kafka_resp_err_t code,
                         const char* reason) noexcept {
  if (code == RD_KAFKA_RESP_ERR__FATAL) {
    std::array<char, 512> why{};
    const auto cause = rd_kafka_fatal_error(client, why.data(), why.size());
    // By the producer's own wish: it goes on with another client.
    if (cause == RD_KAFKA_RESP_ERR__GAPLESS_GUARANTEE) {
      return log_.write(LogLevel::Debug, "kafka_fatal", why.data());
    }
    {
      const std::lock_guard lock(mutex_);
      if (!fatal_) fatal_ = why.data();
    }
    log_.write(LogLevel::Error, "kafka_fatal", why.data());
    return;
  }
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) all_down_ = true;
  {
    const std::lock_guard lock(mutex_);
    if (!connected_) {
      if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) trouble_ = reason;
      return;
    }
    const auto now = std::chrono::steady_clock::now();
    const auto [last, first] = told_.try_emplace(code, now);
    if (!first && now - last->second < repeat_after) return;
    last->second = now;
  }
  log_.write(LogLevel::Warning, "kafka_trouble", reason, {{"error", rd_kafka_err2name(code)}});
}

std::expected<ClientHandle, Failure> make_client(const ClientConfiguration& configuration,
                                                 const KafkaSettings& settings,
                                                 ClientEvents& events) {
  ConfigurationBuilder builder;
  // An older librdkafka does not know every default; it does without.
  for (const auto& [name, value] : configuration.defaults) (void)builder.set(name, value);
  for (const auto& [name, value] : settings.options) {
    if (const auto refused = builder.set(name, value)) {
      // It may be a secret.
      const bool repeats = !value.empty() && refused->find(value) != std::string::npos;
      return std::unexpected(
          Failure{.status = ExitStatus::Problems,
                  .message = fmt::format("the Kafka option `{}` is refused{}{}", name,
                                         repeats ? "" : ": ", repeats ? "" : *refused)});
    }
  }
  Properties owned = configuration.owned;
  owned.emplace_back("bootstrap.servers", settings.brokers);
  for (const auto& [name, value] : owned) {
    if (const auto refused = builder.set(name, value)) {
      return std::unexpected(
          Failure{.status = ExitStatus::Problems,
                  .message = fmt::format("`{}` cannot be `{}`: {}", name, value, *refused)});
    }
  }
  rd_kafka_conf_set_opaque(builder.get(), ClientCallbacks::opaque(events));
  rd_kafka_conf_set_log_cb(builder.get(), ClientCallbacks::on_log);
  rd_kafka_conf_set_error_cb(builder.get(), ClientCallbacks::on_error);
  if (configuration.add_callbacks != nullptr) configuration.add_callbacks(builder.get());
  std::array<char, 512> error{};
  ClientHandle client{rd_kafka_new(configuration.type, builder.get(), error.data(), error.size())};
  if (!client) {
    return std::unexpected(
        Failure{.status = ExitStatus::Problems,
                .message = fmt::format("no Kafka client can be made: {}", error.data())});
  }
  builder.taken();
  return client;
}

std::string librdkafka_version() { return rd_kafka_version_str(); }

}  // namespace kaspar::nodes::kafka
