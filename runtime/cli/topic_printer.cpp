#include "runtime/cli/topic_printer.hpp"

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

#include "runtime/cli/record_text.hpp"

namespace kaspar::cli {
namespace {

constexpr std::chrono::milliseconds wait{20};
constexpr std::size_t most = 512;

}  // namespace

TopicPrinter::~TopicPrinter() {
  abandoned_ = true;
  if (thread_.joinable()) thread_.join();
}

std::expected<void, Failure> TopicPrinter::start(const KafkaSettings& settings,
                                                 const std::vector<std::string>& topics,
                                                 EventLog& log) {
  auto reader = nodes::kafka::TopicReader::open(settings, topics, true, log);
  if (!reader) return std::unexpected(std::move(reader.error()));
  reader_ = std::move(*reader);
  thread_ = std::thread([this] { run(); });
  return {};
}

void TopicPrinter::wait_until_drained(const std::function<bool()>& stopped) {
  // Only the thread may ask the reader: it answers the next time that it has nothing to print.
  const std::uint64_t question = ++asked_;
  while (answered_ < question && !stopped())
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
}

std::expected<void, Failure> TopicPrinter::finish() {
  finishing_ = true;
  if (thread_.joinable()) thread_.join();
  if (failure_) return std::unexpected(*failure_);
  return {};
}

void TopicPrinter::run() {
  std::string text;
  const auto print = [&text](const nodes::kafka::TopicRecord& record) {
    text += record_line({.topic = record.topic, .key = record.key, .value = record.value});
    text += '\n';
  };
  while (!abandoned_) {
    const bool finishing = finishing_;
    const std::uint64_t question = asked_;
    auto count = reader_->read(print, most, wait);
    if (!text.empty()) {
      const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
      if (!written || std::fflush(stdout) != 0) {
        failure_ = Failure{.message = "standard output cannot be written"};
        break;
      }
      text.clear();
    }
    if (!count) {
      failure_ = std::move(count.error());
      break;
    }
    if (*count != 0 || (!finishing && question == answered_)) continue;
    auto end = reader_->at_end();
    if (!end) {
      failure_ = std::move(end.error());
      break;
    }
    if (*end) answered_ = question;
    if (*end && finishing) return;
  }
  answered_ = UINT64_MAX;  // nothing more will be printed, so nobody need wait for it
}

}  // namespace kaspar::cli
