#include "runtime/cli/feed.hpp"

#include <chrono>
#include <ctime>
#include <memory>

#include "nodes/file/line_source.hpp"
#include "nodes/kafka/embedded_broker.hpp"
#include "nodes/kafka/group_progress.hpp"
#include "nodes/kafka/topic_writer.hpp"
#include "runtime/cli/lines.hpp"
#include "runtime/cli/record_text.hpp"

namespace kaspar::cli {

using std::chrono::milliseconds;

std::expected<void, Failure> Feed::check_files() const {
  for (const FedTopic& fed : topics_) {
    nodes::file::LineSource lines(0, fed.path, false);
    if (auto opened = lines.open(); !opened) return opened;
  }
  return {};
}

void Feed::start(const KafkaSettings& settings, std::function<void()> failed) {
  if (topics_.empty()) return;
  thread_ = std::thread([this, &settings, failed = std::move(failed)] {
    auto written = write_all(settings);
    if (!written) failure_ = std::move(written.error());
    feeding_ = false;
    if (failure_) failed();
  });
}

void Feed::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

std::expected<void, Failure> Feed::write_all(const KafkaSettings& settings) {
  for (const FedTopic& fed : topics_) {
    if (auto written = write_file(fed, settings); !written) return written;
  }
  return {};
}

std::expected<void, Failure> Feed::write_file(const FedTopic& fed, const KafkaSettings& settings) {
  auto writer = nodes::kafka::TopicWriter::open(settings, fed.topic, log_, nullptr);
  if (!writer) return std::unexpected(std::move(writer.error()));
  std::unique_ptr<nodes::kafka::GroupProgress> progress;
  if (pace_.paced) {
    auto opened = nodes::kafka::GroupProgress::open(settings, fed.group, fed.topic, log_);
    if (!opened) return std::unexpected(std::move(opened.error()));
    progress = std::move(*opened);
  }
  const auto flush = [&]() -> std::expected<void, Failure> {
    while (!stopping_) {
      // Outages are waited out.
      auto flushed = (*writer)->flush(milliseconds{200});
      if (flushed || (*writer)->under_way() == 0) return flushed;
    }
    return {};
  };
  const auto wait_until_read = [&]() -> std::expected<void, Failure> {
    while (!stopping_) {
      auto read = progress->at_end();
      if (!read) return std::unexpected(std::move(read.error()));
      if (*read) break;
      std::this_thread::sleep_for(milliseconds{5});
    }
    if (pace_.wait_until_drained) pace_.wait_until_drained([this] { return stopping_.load(); });
    return {};
  };
  const std::int64_t start = std::time(nullptr);
  const std::size_t window = nodes::kafka::embedded_broker_room / 2;
  std::uint64_t row = 0;
  std::size_t ahead = 0;
  const auto write = [&](std::string_view line) -> std::expected<void, Failure> {
    const std::string key = clock_key(start, row++);
    const std::size_t bytes = key.size() + line.size();
    if (pace_.paced && ahead != 0 && ahead + bytes > window) {
      if (auto flushed = flush(); !flushed) return flushed;
      if (auto read = wait_until_read(); !read) return read;
      ahead = 0;
    }
    ahead += bytes;
    return (*writer)->write(key, line);
  };
  if (auto written = for_each_line(fed.path, write, [this] { return stopping_.load(); });
      !written) {
    return written;
  }
  return flush();
}

}  // namespace kaspar::cli
