#include "runtime/engine/credits.hpp"

namespace kaspar::engine {

bool Credits::reserve(std::size_t bytes, std::chrono::milliseconds within) {
  std::unique_lock lock(mutex_);
  const auto fits = [&] {
    if (used_batches_ == 0) return true;
    return used_batches_ < batches_ && used_bytes_ <= bytes_ && bytes <= bytes_ - used_bytes_;
  };
  if (!freed_.wait_for(lock, within, fits)) return false;
  ++used_batches_;
  used_bytes_ += bytes;
  return true;
}

void Credits::adjust(std::size_t reserved, std::size_t used) {
  {
    const std::lock_guard lock(mutex_);
    used_bytes_ = used_bytes_ - reserved + used;
  }
  if (used < reserved) freed_.notify_all();
}

void Credits::release(std::size_t bytes) {
  {
    const std::lock_guard lock(mutex_);
    --used_batches_;
    used_bytes_ -= bytes;
  }
  freed_.notify_all();
}

std::size_t Credits::batches_in_flight() const {
  const std::lock_guard lock(mutex_);
  return used_batches_;
}

std::size_t Credits::bytes_in_flight() const {
  const std::lock_guard lock(mutex_);
  return used_bytes_;
}

}  // namespace kaspar::engine
