#include "nodes/file/line_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>

namespace kaspar::nodes::file {
namespace {

constexpr std::size_t block_size = 1u << 20;
constexpr std::size_t max_line = 256u << 20;

struct LineStorage final : RecordStorage {
  void release() noexcept override { blocks.clear(); }
  std::vector<std::shared_ptr<LineSource::Block>> blocks;
};

}  // namespace

LineSource::~LineSource() {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
}

std::string LineSource::name() const {
  return path_.empty() ? "standard input" : fmt::format("the file `{}`", path_);
}

std::expected<void, Failure> LineSource::open() {
  descriptor_ =
      path_.empty() ? STDIN_FILENO : ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  struct stat status{};
  int error = 0;
  if (descriptor_ < 0 || ::fstat(descriptor_, &status) != 0) error = errno;
  if (error == 0 && S_ISDIR(status.st_mode)) error = EISDIR;
  if (error != 0) {
    return std::unexpected(
        Failure{.status = ExitStatus::Usage,
                .message = fmt::format("cannot open {}: {}", name(), std::strerror(error))});
  }
  block_ = std::make_shared<Block>(block_size);
  return {};
}

LineSource::Fill LineSource::fill(std::chrono::milliseconds wait) {
  pollfd ready{.fd = descriptor_, .events = POLLIN, .revents = 0};
  const int polled = ::poll(&ready, 1, static_cast<int>(wait.count()));
  if (polled == 0 || (polled < 0 && errno == EINTR)) return Fill::Nothing;
  if (block_->size == block_->capacity) {
    const std::size_t rest = block_->size - begin_;
    if (rest > max_line) {
      failure_ = {.message =
                      fmt::format("line {} of {} is longer than 256 MiB", line_ + 1, name())};
      return Fill::Failed;
    }
    auto larger = std::make_shared<Block>(std::max(block_size, rest * 2));
    std::memcpy(larger->bytes.get(), block_->bytes.get() + begin_, rest);
    larger->size = rest;
    scanned_ -= begin_;
    begin_ = 0;
    block_ = std::move(larger);
  }
  const ssize_t count =
      ::read(descriptor_, block_->bytes.get() + block_->size, block_->capacity - block_->size);
  if (count < 0) {
    if (errno == EINTR || errno == EAGAIN) return Fill::Nothing;
    failure_ = {.message = fmt::format("cannot read {}: {}", name(), std::strerror(errno))};
    return Fill::Failed;
  }
  at_end_ = count == 0;
  block_->size += static_cast<std::size_t>(count);
  return Fill::More;
}

void LineSource::add_line(RecordBatch& batch, std::size_t size) {
  std::string_view value{block_->bytes.get() + begin_, size};
  const std::int64_t offset = line_++;
  if (offset == 0) {
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (value.starts_with(byte_order_mark)) value.remove_prefix(byte_order_mark.size());
    if (skip_first_) {
      header_ = value;
      batch.header = header_;
      return;
    }
  }
  auto& storage = static_cast<LineStorage&>(*batch.storage);
  if (storage.blocks.empty() || storage.blocks.back() != block_) storage.blocks.push_back(block_);
  if (batch.spans.empty()) batch.spans.push_back({.first_offset = offset});
  batch.spans.back().last_offset = offset;
  batch.records.push_back({.value = value, .offset = offset, .has_value = true});
  batch.bytes += value.size();
}

ReadStatus LineSource::read(RecordBatch& batch, const ReadLimits& limits) noexcept {
  if (dynamic_cast<LineStorage*>(batch.storage.get()) == nullptr) {
    batch.storage = std::make_unique<LineStorage>();
  }
  batch.endpoint = endpoint_;
  batch.header = header_;
  while (batch.records.size() < std::min(limits.records, max_batch_records)) {
    const char* const data = block_->bytes.get();
    const void* const found = std::memchr(data + scanned_, '\n', block_->size - scanned_);
    if (found != nullptr || (at_end_ && begin_ < block_->size)) {
      const std::size_t stop =
          found != nullptr ? static_cast<std::size_t>(static_cast<const char*>(found) - data)
                           : block_->size;
      scanned_ = stop;
      if (!batch.records.empty() && batch.bytes + (stop - begin_) > limits.bytes) break;
      add_line(batch, stop - begin_);
      begin_ = scanned_ = std::min(stop + 1, block_->size);
      continue;
    }
    scanned_ = block_->size;
    if (at_end_) break;
    const Fill filled = fill(batch.records.empty() ? limits.wait : std::chrono::milliseconds{0});
    if (filled == Fill::Failed && batch.records.empty()) return ReadStatus::Failed;
    if (filled != Fill::More) break;
  }
  if (!batch.records.empty()) return ReadStatus::Records;
  return at_end_ && begin_ == block_->size ? ReadStatus::End : ReadStatus::Idle;
}

void LineSource::serve(std::chrono::milliseconds wait) noexcept {
  std::this_thread::sleep_for(std::min(wait, std::chrono::milliseconds{10}));
}

std::expected<void, Failure> LineSource::close(std::chrono::milliseconds) {
  if (descriptor_ > STDIN_FILENO) ::close(descriptor_);
  descriptor_ = -1;
  return {};
}

}  // namespace kaspar::nodes::file
