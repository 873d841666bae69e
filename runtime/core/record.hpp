// Records as a source reads them: views into the source's buffers, and what to acknowledge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace kaspar {

/// A batch holds at most this many records.
inline constexpr std::size_t max_batch_records = 1024;

/// One header of a record. The views live as long as the record's storage.
struct Header {
  std::string_view name;
  std::string_view value;
  bool has_value = true;
};

/// One record. All views live as long as the batch's RecordStorage holds them.
struct Record {
  std::string_view key;
  std::string_view value;
  std::int64_t timestamp = -1;  // milliseconds since 1970 UTC, -1: none
  std::int64_t offset = -1;
  std::uint32_t span = 0;  // index into RecordBatch::spans
  bool has_key = false;
  bool has_value = false;
};

/// The records of one partition in a batch, which are acknowledged together.
struct PartitionSpan {
  std::string_view topic;  // lives as long as the source; empty for files
  std::int32_t partition = 0;
  std::uint64_t epoch = 0;  // of the partition's assignment or rewind
  std::int64_t first_offset = 0;
  std::int64_t last_offset = 0;  // inclusive; offsets between may be missing (compaction, markers)
  std::uint32_t tracker = 0;     // for the source's own use
};

/// Owns what the views of a batch's records point into. A source makes one for each pooled batch
/// and refills it: no allocation per record.
class RecordStorage {
 public:
  RecordStorage() = default;
  RecordStorage(const RecordStorage&) = delete;
  RecordStorage& operator=(const RecordStorage&) = delete;
  virtual ~RecordStorage() = default;

  /// Lets go of the buffers; called from any thread once nothing refers to them.
  virtual void release() noexcept = 0;

  /// Appends the headers of record `row` to `headers`. Any thread, while the batch lives.
  virtual void headers(std::size_t row, std::vector<Header>& headers) const {
    (void)row, (void)headers;
  }
};

/// How warily records are written that are read again because a sink refused one near them.
enum class Caution : std::uint8_t {
  None,
  Batch,   // few records, which are delivered before more are read
  Record,  // each is delivered before the next one is written: so the refused one is found
};

/// 1 to 1024 records of one source endpoint, of any of its partitions.
struct RecordBatch {
  std::size_t endpoint = 0;    // index into Plan::sources
  std::uint64_t sequence = 0;  // dense per endpoint; set by the engine
  /// What is written of it belongs to this transaction of its source, or, at least once, to this
  /// attempt at reading: a sink may discard all of an attempt, and the source begins another. Never
  /// falls. 0: the source cannot read it again.
  std::uint64_t transaction = 0;
  Caution caution = Caution::None;
  std::vector<Record> records;  // capacity max_batch_records
  std::vector<PartitionSpan> spans;
  std::unique_ptr<RecordStorage> storage;
  std::size_t bytes = 0;  // of keys and values, for credits
  /// The line that names the columns, of a source with `header: true`; lives as long as the source.
  std::string_view header;

  /// Ready to be refilled: keeps capacity and storage object.
  void clear() noexcept {
    records.clear();
    spans.clear();
    transaction = 0;
    caution = Caution::None;
    bytes = 0;
    if (storage) storage->release();
  }
};

}  // namespace kaspar
