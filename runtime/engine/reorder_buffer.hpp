// Restores the order of reading after concurrent work.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <vector>

namespace kaspar::engine {

/// Items pushed in any order come out by their dense sequence, one at a time. `T` is a cheap
/// handle. Thread-safe: whoever brings the item that is due hands on all that follow it, outside
/// the lock, so nobody waits for somebody else's hand-over.
template <class T>
class ReorderBuffer {
 public:
  /// `window`: items of which the first is still missing; credits bound it.
  explicit ReorderBuffer(std::size_t window)
      : ring_(std::bit_ceil(window)), filled_(ring_.size(), 0) {}

  /// Calls `emit(item)` for every item that is now due, in order, never two at a time. Sequences
  /// start at 0, each is pushed once; one beyond the window is a bug and ends the process.
  template <class Emit>
  void push(std::uint64_t sequence, T item, Emit&& emit) {
    std::unique_lock lock(mutex_);
    if (sequence < next_ || sequence - next_ >= ring_.size() || filled_[place(sequence)] != 0) {
      std::abort();
    }
    ring_[place(sequence)] = item;
    filled_[place(sequence)] = 1;
    if (emitting_) return;
    emitting_ = true;
    while (filled_[place(next_)] != 0) {
      T due = ring_[place(next_)];
      filled_[place(next_)] = 0;
      ++next_;
      lock.unlock();
      emit(due);
      lock.lock();
    }
    emitting_ = false;
  }

 private:
  [[nodiscard]] std::size_t place(std::uint64_t sequence) const noexcept {
    return static_cast<std::size_t>(sequence & (ring_.size() - 1));
  }

  std::mutex mutex_;
  std::vector<T> ring_;
  std::vector<unsigned char> filled_;
  std::uint64_t next_ = 0;
  bool emitting_ = false;
};

}  // namespace kaspar::engine
