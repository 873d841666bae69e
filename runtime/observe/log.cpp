#include "runtime/observe/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "runtime/observe/log_line.hpp"
#include "runtime/observe/repeated_events.hpp"

namespace kaspar::observe {
namespace {

constexpr std::string_view erase_line = "\r\x1b[K";

/// What is written goes out at once, whole lines at a time.
class StandardErrorSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void show(std::string_view progress) {
    const std::lock_guard lock(base_sink<std::mutex>::mutex_);
    progress_ = progress;
    out(std::string{erase_line} + progress_);
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string text;
    if (!progress_.empty()) text += erase_line;
    text.append(message.payload.data(), message.payload.size());
    text += '\n';
    text += progress_;
    out(text);
  }
  void flush_() override {}

  static void out(std::string_view text) noexcept {
    while (!text.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;  // nobody listens
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  std::string progress_;
};

class StandardErrorLog final : public Log {
 public:
  StandardErrorLog(LogLevel least, bool json, bool terminal, std::string pipeline)
      : least_(least),
        json_(json),
        terminal_(terminal),
        coloured_(terminal && std::getenv("NO_COLOR") == nullptr),
        pipeline_(std::move(pipeline)),
        sink_(std::make_shared<StandardErrorSink>()),
        logger_("kaspar", sink_) {
    logger_.set_level(spdlog::level::trace);
  }
  ~StandardErrorLog() override {
    if (terminal_ && showing_) sink_->show({});
    tell(true);
  }

  void write(LogLevel level, std::string_view event, std::string_view message,
             std::initializer_list<LogField> fields) noexcept override {
    if (level < least_) return;
    {
      const std::lock_guard lock(mutex_);
      if (!repeated_.tells(level, event, message, fields, RepeatedEvents::Clock::now())) return;
    }
    put(level, event, message, fields);
  }

  void show_progress(std::string_view line) override {
    if (!shows_progress()) return;
    showing_ = !line.empty();
    sink_->show(line);
  }
  [[nodiscard]] bool shows_progress() const noexcept override { return terminal_ && !json_; }
  void tell_repeated() override { tell(false); }

 private:
  void put(LogLevel level, std::string_view event, std::string_view message,
           std::span<const LogField> fields) {
    const auto now =
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    const std::string line = json_ ? json_line(now, level, event, pipeline_, message, fields)
                                   : human_line(now, level, event, message, fields, coloured_);
    logger_.log(spdlog::level::info, spdlog::string_view_t{line.data(), line.size()});
  }

  void tell(bool all) {
    std::vector<RepeatedEvents::Repeated> due;
    {
      const std::lock_guard lock(mutex_);
      due = repeated_.due(RepeatedEvents::Clock::now(), all);
    }
    for (const RepeatedEvents::Repeated& repeated : due) {
      std::vector<LogField> fields;
      for (const auto& [name, value] : repeated.fields) fields.push_back({name, value});
      fields.push_back({"repeated", std::to_string(repeated.count)});
      put(repeated.level, repeated.event, repeated.message, fields);
    }
  }

  LogLevel least_;
  bool json_;
  bool terminal_;
  bool coloured_;
  std::string pipeline_;
  std::shared_ptr<StandardErrorSink> sink_;
  spdlog::logger logger_;
  std::mutex mutex_;
  RepeatedEvents repeated_;  // under the mutex
  bool showing_ = false;     // of the thread that shows progress
};

}  // namespace

std::unique_ptr<Log> make_event_log(LogLevel least, LogFormat format, std::string pipeline) {
  const bool terminal = isatty(STDERR_FILENO) != 0;
  const bool json = format == LogFormat::Json || (format == LogFormat::Automatic && !terminal);
  return std::make_unique<StandardErrorLog>(least, json, terminal, std::move(pipeline));
}

}  // namespace kaspar::observe
