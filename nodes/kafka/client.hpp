// How a client of librdkafka is configured and made, and what it tells on its own account.
#pragma once

#include <rdkafka.h>

#include <atomic>
#include <chrono>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nodes/kafka/handles.hpp"
#include "runtime/core/event_log.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/run_settings.hpp"

namespace kaspar::nodes::kafka {

/// Hears a client's log lines and errors, from any of librdkafka's threads, and tells each kind of
/// trouble once in ten seconds, for librdkafka repeats it with every attempt. It outlives the
/// client, or disowns it.
class ClientEvents {
 public:
  explicit ClientEvents(EventLog& log) : log_(log) {}
  ClientEvents(const ClientEvents&) = delete;
  ClientEvents& operator=(const ClientEvents&) = delete;

  /// Whose client it is that calls back, of a callback's opaque. Only for callbacks of what its
  /// owner polls.
  template <class Owner>
  [[nodiscard]] static Owner& owner(void* opaque) {
    return static_cast<Owner&>(*static_cast<Link*>(opaque)->events);
  }
  /// Hears nothing more of its client, which cannot be ended and lives on.
  void disown() noexcept;

  [[nodiscard]] EventLog& log() noexcept { return log_; }

  /// What the client cannot recover from, if it happened.
  [[nodiscard]] std::optional<std::string> fatal() const;
  /// The client that could not recover is gone.
  void forget_fatal();
  /// Set when all brokers are down; whoever reaches one again clears it. Any thread.
  [[nodiscard]] std::atomic<bool>& all_down() noexcept { return all_down_; }
  /// The last trouble with a broker, for the message when none is reached; may be empty.
  [[nodiscard]] std::string last_trouble() const;
  /// Until then trouble with brokers is kept, not logged: whoever connects tells it in one message.
  void connected() noexcept;

  void heard(int level, const char* text) noexcept;
  void error(rd_kafka_t* client, rd_kafka_resp_err_t code, const char* reason) noexcept;

 private:
  friend struct ClientCallbacks;
  /// The opaque of a client's callbacks.
  struct Link {
    std::mutex mutex;  // held while one of librdkafka's threads logs
    ClientEvents* events;
  };

  EventLog& log_;
  std::unique_ptr<Link> link_{new Link{.mutex = {}, .events = this}};
  mutable std::mutex mutex_;
  bool connected_ = false;
  std::atomic<bool> all_down_{false};
  std::map<rd_kafka_resp_err_t, std::chrono::steady_clock::time_point> told_;
  std::optional<std::string> fatal_;
  std::string trouble_;
};

using Properties = std::vector<std::pair<std::string, std::string>>;

struct ClientConfiguration {
  rd_kafka_type_t type = RD_KAFKA_CONSUMER;
  Properties defaults;  // the user's options win over these
  Properties owned;     // these win over the user's options
  void (*add_callbacks)(rd_kafka_conf_t* configuration) = nullptr;
};

/// Makes a client of the settings' brokers. A property that librdkafka refuses is a user's mistake.
/// No I/O yet.
[[nodiscard]] std::expected<ClientHandle, Failure> make_client(
    const ClientConfiguration& configuration, const KafkaSettings& settings, ClientEvents& events);

}  // namespace kaspar::nodes::kafka
