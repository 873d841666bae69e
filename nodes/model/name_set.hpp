// A set of names, by hashes of 64 bits.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace kaspar::nodes {

/// A million names take 16 MB, and one look at memory each. Where a hash is looked for is drawn
/// anew in every process, so no file can make all of its names fall to one place.
class NameSet {
 public:
  /// Whether it was new.
  bool insert(std::uint64_t hash) {
    if (2 * (size_ + 1) > slots_.size()) grow();
    std::uint64_t& slot = slots_[place_of(hash)];
    if (slot == some(hash)) return false;
    slot = some(hash);
    ++size_;
    return true;
  }
  [[nodiscard]] bool contains(std::uint64_t hash) const {
    return size_ != 0 && slots_[place_of(hash)] != empty;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::uint64_t empty = 0;
  static std::uint64_t some(std::uint64_t hash) noexcept { return hash == empty ? 1 : hash; }

  /// Where the hash is, or would be.
  [[nodiscard]] std::size_t place_of(std::uint64_t hash) const noexcept {
    std::size_t at = (some(hash) * factor_) >> shift_;
    while (slots_[at] != empty && slots_[at] != some(hash)) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void grow() {
    std::vector<std::uint64_t> before(slots_.empty() ? 64 : 2 * slots_.size());
    before.swap(slots_);
    shift_ = 64 - static_cast<unsigned>(std::countr_zero(slots_.size()));
    for (const std::uint64_t hash : before) {
      if (hash != empty) slots_[place_of(hash)] = hash;
    }
  }

  std::vector<std::uint64_t> slots_;  // a power of two, at most half of them taken
  std::size_t size_ = 0;
  unsigned shift_ = 0;
  std::uint64_t factor_ =
      (std::uint64_t{std::random_device{}()} << 32 | std::random_device{}()) | 1;
};

}  // namespace kaspar::nodes
