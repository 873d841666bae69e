// Reuses objects that are dear to make.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace kaspar::engine {

/// Owns all it ever made; the last one returned is the next one given, while it is still in cache.
/// Thread-safe. Credits bound how many are out.
template <class T>
class Pool {
 public:
  template <class Make>
  [[nodiscard]] T* take(Make&& make) {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) {
      all_.push_back(std::forward<Make>(make)());
      free_.reserve(all_.size());
      return all_.back().get();
    }
    T* object = free_.back();
    free_.pop_back();
    return object;
  }

  void give_back(T* object) noexcept {
    const std::lock_guard lock(mutex_);
    free_.push_back(object);  // within the reserved room
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> free_;
};

}  // namespace kaspar::engine
