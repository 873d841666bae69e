// Records from a file or standard input: one a line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/source.hpp"

namespace kaspar::nodes::file {

/// Reads lines up to LF; the value is the line without it (a CR stays), empty lines included, and
/// the last line counts without an LF too. A byte-order mark at the start is skipped. `offset` is
/// the line's number from 0. Lines lie in blocks that batches share: no copy, no allocation a line.
class LineSource final : public Source {
 public:
  /// `path` empty: standard input. With `skip_first` the first line is not read as a record.
  LineSource(std::size_t endpoint, std::string path, bool skip_first)
      : path_(std::move(path)), endpoint_(endpoint), skip_first_(skip_first) {}
  ~LineSource() override;

  [[nodiscard]] std::expected<void, Failure> open() override;
  [[nodiscard]] ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept override;
  void serve(std::chrono::milliseconds wait) noexcept override;
  void acknowledge(const RecordBatch&) noexcept override {}
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds within) override;
  [[nodiscard]] const Failure& failure() const noexcept override { return failure_; }

  /// Append-only, so that lines handed out stay as they are while more is read.
  struct Block {
    explicit Block(std::size_t room)
        : bytes(std::make_unique_for_overwrite<char[]>(room)), capacity(room) {}
    std::unique_ptr<char[]> bytes;
    std::size_t capacity;
    std::size_t size = 0;
  };

 private:
  enum class Fill : std::uint8_t { More, Nothing, Failed };

  Fill fill(std::chrono::milliseconds wait);
  void add_line(RecordBatch& batch, std::size_t size);
  [[nodiscard]] std::string name() const;

  std::string path_;
  std::size_t endpoint_;
  int descriptor_ = -1;
  bool skip_first_;
  std::string header_;  // the first line, if it is skipped
  bool at_end_ = false;
  std::shared_ptr<Block> block_;
  std::size_t begin_ = 0;    // of the line being read, in block_
  std::size_t scanned_ = 0;  // no LF before it
  std::int64_t line_ = 0;
  Failure failure_;
};

}  // namespace kaspar::nodes::file
