// Rows whose results a sink refused for what they are: when their records are read again, they
// fail.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "runtime/core/batch.hpp"
#include "runtime/core/record.hpp"

namespace kaspar::engine {

struct Path;

/// Thread-safe. A row is known by the path that it came to its sink and its record's place, so it
/// is found again in whatever batch it comes.
class Refusals {
 public:
  void add(const Path& path, const RecordBatch& records, Row row, std::string_view why);
  /// Cheap, and nearly always true.
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  /// Why the row was refused, if it was.
  [[nodiscard]] std::optional<std::string> find(const Path& path, const RecordBatch& records,
                                                Row row) const;
  /// The records are done with.
  void forget(const RecordBatch& records) noexcept;

 private:
  /// Endpoint, topic, partition, offset, path.
  using Key = std::tuple<std::size_t, std::string_view, std::int32_t, std::int64_t, const Path*>;
  [[nodiscard]] static Key key(const Path* path, const RecordBatch& records, Row row);

  mutable std::mutex mutex_;
  std::map<Key, std::string> all_;  // a topic's name lives as long as its source
  std::atomic<std::size_t> count_{0};
};

}  // namespace kaspar::engine
