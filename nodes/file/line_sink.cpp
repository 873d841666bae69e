#include "nodes/file/line_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "nodes/file/line_format.hpp"

namespace kaspar::nodes::file {
namespace {

constexpr std::size_t buffer_size = 256 * 1024;
constexpr std::size_t pipe_chunk = 4096;  // a pipe that is ready takes as much without blocking
constexpr int poll_milliseconds = 50;

std::mutex standard_output;  // held while whole lines are pushed

}  // namespace

LineSink::~LineSink() {
  abandon_ = true;
  stop();
  if (descriptor_ > STDERR_FILENO) ::close(descriptor_);
}

std::string LineSink::name() const {
  return path_.empty() ? "standard output" : fmt::format("the file `{}`", path_);
}

std::expected<void, Failure> LineSink::open() {
  descriptor_ = path_.empty() ? STDOUT_FILENO
                              : ::open(path_.c_str(),
                                       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0666);
  struct stat status{};
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("cannot open {}: {}", name(), std::strerror(errno))});
  }
  regular_ = S_ISREG(status.st_mode);
  writer_ = std::thread([this] { run(); });
  return {};
}

void LineSink::write(std::span<const OutputRecord> records, const WriteTerms&,
                     DeliveryListener& listener) noexcept {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({records, &listener});
  }
  changed_.notify_all();
}

void LineSink::run() noexcept {
  std::string text;
  std::vector<DeliveryListener*> written;
  const auto push_all = [&] {
    if (!text.empty()) push(text);
    text.clear();
    for (DeliveryListener* listener : written) {
      if (failure_) {
        listener->failed(*failure_);
      } else {
        listener->delivered();
      }
    }
    written.clear();
  };
  while (true) {
    std::deque<Job> jobs;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (jobs_.empty()) {
        finished_ = true;
        break;
      }
      jobs.swap(jobs_);
    }
    for (const Job& job : jobs) {
      for (const OutputRecord& record : job.records) {
        append_line(text, record, show_key_);
        if (text.size() >= buffer_size) {
          push(text);
          text.clear();
        }
      }
      written.push_back(job.listener);
    }
    push_all();
  }
  changed_.notify_all();
}

void LineSink::push(std::string_view text) {
  if (failure_) return;
  std::unique_lock<std::mutex> whole_lines;
  if (path_.empty()) whole_lines = std::unique_lock(standard_output);
  while (!text.empty()) {
    std::size_t size = text.size();
    if (!regular_) {
      size = std::min(size, pipe_chunk);
      pollfd ready{.fd = descriptor_, .events = POLLOUT, .revents = 0};
      const int polled = ::poll(&ready, 1, poll_milliseconds);
      if (polled == 0 || (polled < 0 && errno == EINTR)) {
        if (!abandon_) continue;
        failure_ = Failure{
            .message = fmt::format("{} did not take all records before the deadline", name())};
        return;
      }
    }
    const ssize_t count = ::write(descriptor_, text.data(), size);
    if (count < 0) {
      if (errno == EINTR || errno == EAGAIN) continue;
      failure_ =
          Failure{.message = fmt::format("cannot write {}: {}", name(), std::strerror(errno))};
      return;
    }
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

void LineSink::stop() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (writer_.joinable()) writer_.join();
}

std::expected<void, Failure> LineSink::close(std::chrono::milliseconds within) {
  if (writer_.joinable()) {
    std::unique_lock lock(mutex_);
    closing_ = true;
    changed_.notify_all();
    if (!changed_.wait_for(lock, within, [this] { return finished_; })) abandon_ = true;
  }
  stop();
  if (descriptor_ > STDERR_FILENO && ::close(descriptor_) != 0 && !failure_) {
    failure_ = Failure{.message = fmt::format("cannot write {}: {}", name(), std::strerror(errno))};
  }
  descriptor_ = -1;
  if (failure_) return std::unexpected(*failure_);
  return {};
}

}  // namespace kaspar::nodes::file
