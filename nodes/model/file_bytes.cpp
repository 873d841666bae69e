#include "nodes/model/file_bytes.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace kaspar::nodes {
namespace {

constexpr std::size_t window_bytes = 64u << 10;

FileRefused refused_by_system(int error) { return {std::generic_category().message(error)}; }

}  // namespace

FileBytes::FileBytes(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {
  if (descriptor_ < 0) {
    FileRefused refused = refused_by_system(errno);
    if (errno == ENOENT) refused.reason = "there is no such file";
    refused.help = "paths are relative to the pipeline file";
    throw refused;
  }
  struct stat status = {};
  const int error = ::fstat(descriptor_, &status) != 0 ? errno : 0;
  if (error != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);  // there is no destructor of what was not constructed
    if (error != 0) throw refused_by_system(error);
    throw FileRefused{"it is not a regular file"};
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

FileBytes::~FileBytes() { ::close(descriptor_); }

void FileBytes::read_file(std::uint64_t offset, std::span<std::byte> to) const {
  std::size_t done = 0;
  while (done < to.size()) {
    const ssize_t got =
        ::pread(descriptor_, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw refused_by_system(errno);
    if (got == 0) throw FileRefused{"it ended while it was read"};
    done += static_cast<std::size_t>(got);
  }
}

void FileBytes::fill_window(std::uint64_t offset) {
  if (offset >= size_) throw FileRefused{"it ends too early"};
  window_.resize(window_bytes);
  window_size_ = 0;
  const auto wanted = std::min<std::uint64_t>(window_bytes, size_ - offset);
  read_file(offset, std::span(window_).first(wanted));
  window_start_ = offset;
  window_size_ = wanted;
}

void FileBytes::read(std::uint64_t offset, std::span<std::byte> to) {
  if (offset > size_ || to.size() > size_ - offset) throw FileRefused{"it ends too early"};
  if (to.empty()) return;
  if (to.size() > window_bytes / 2) return read_file(offset, to);
  const auto inside = [&] {
    return offset >= window_start_ && offset + to.size() <= window_start_ + window_size_;
  };
  if (!inside()) fill_window(offset);
  std::memcpy(to.data(), window_.data() + (offset - window_start_), to.size());
}

void FileBytes::append(std::string& to, ByteRange range) {
  if (range.end > size_ || range.start > range.end) throw FileRefused{"it ends too early"};
  const std::size_t held = to.size();
  to.resize(held + range.size());
  read(range.start, std::as_writable_bytes(std::span(to).subspan(held)));
}

}  // namespace kaspar::nodes
