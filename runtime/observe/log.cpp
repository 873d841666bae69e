#include "runtime/observe/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>

#include "runtime/observe/log_line.hpp"

namespace kaspar::observe {
namespace {

class StandardErrorLog final : public EventLog {
 public:
  StandardErrorLog(LogLevel least, bool json)
      : least_(least),
        json_(json),
        logger_("kaspar", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
  }

  void write(LogLevel level, std::string_view event, std::string_view message,
             std::initializer_list<LogField> fields) noexcept override {
    if (level < least_) return;
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const std::string line = json_ ? json_line(now, level, event, message, fields)
                                   : human_line(now, level, event, message, fields);
    logger_.log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
  }

 private:
  LogLevel least_;
  bool json_;
  spdlog::logger logger_;
};

}  // namespace

std::unique_ptr<EventLog> make_event_log(LogLevel least, LogFormat format) {
  const bool json =
      format == LogFormat::Json || (format == LogFormat::Automatic && isatty(STDERR_FILENO) == 0);
  return std::make_unique<StandardErrorLog>(least, json);
}

}  // namespace kaspar::observe
