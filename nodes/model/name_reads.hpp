// How often the tensors of a graph are read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace kaspar::nodes {

struct Graph;

/// Names by hashes of 64 bits, drawn anew in every process, so that no file can choose names that
/// fall together. Two names with the same hash are taken for one, which is then read more often.
[[nodiscard]] std::uint64_t name_hash(std::string_view name) noexcept;

/// What is read until a graph is done. Outputs, and what graphs inside the graph read, which may be
/// at every turn, are read `for_ever`.
class NameReads {
 public:
  static constexpr std::uint32_t for_ever = UINT32_MAX;
  /// What one that is added takes, at most: the list doubles.
  static constexpr std::size_t bytes_each = 48;

  void add(std::string_view name) { reads_.push_back({name_hash(name), 1}); }
  void add_for_ever(std::string_view name) { reads_.push_back({name_hash(name), for_ever}); }
  /// Once all are added.
  void sum_up();
  [[nodiscard]] std::uint32_t of(std::uint64_t name) const noexcept;

 private:
  struct Reads {
    std::uint64_t name;
    std::uint32_t count;
  };
  std::vector<Reads> reads_;  // sorted by name, after sum_up()
};

/// Of a graph whose nodes are all held.
[[nodiscard]] NameReads reads_of(const Graph& graph);

}  // namespace kaspar::nodes
