#include "runtime/cli/evaluation_endpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace kaspar::cli {
namespace {

/// The keys of a batch's records.
class RowKeys final : public RecordStorage {
 public:
  RowKeys() { keys_.reserve(max_batch_records); }

  std::string_view add(std::size_t row) { return keys_.emplace_back(fmt::to_string(row)); }
  void release() noexcept override { keys_.clear(); }

 private:
  std::vector<std::string> keys_;  // never grows beyond what is reserved: views stay valid
};

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::optional<std::size_t> row_of(const OutputRecord& record) {
  if (record.dead_letter != nullptr) {
    if (record.dead_letter->offset < 0) return std::nullopt;
    return static_cast<std::size_t>(record.dead_letter->offset);
  }
  if (!record.has_key) return std::nullopt;
  std::size_t row = 0;
  const char* end = record.key.data() + record.key.size();
  const auto [stop, error] = std::from_chars(record.key.data(), end, row);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return row;
}

}  // namespace

ReadStatus RowSource::read(RecordBatch& batch, const ReadLimits& limits) noexcept {
  if (next_ == rows_.size()) return ReadStatus::End;
  auto* keys = dynamic_cast<RowKeys*>(batch.storage.get());
  if (keys == nullptr) {
    auto made = std::make_unique<RowKeys>();
    keys = made.get();
    batch.storage = std::move(made);
  }
  const std::size_t first = next_;
  const std::size_t most = std::clamp(limits.records, std::size_t{1}, max_batch_records);
  while (next_ < rows_.size() && next_ - first < most) {
    const std::string_view key = keys->add(next_);
    const std::string& row = rows_[next_];
    if (next_ > first && batch.bytes + key.size() + row.size() > limits.bytes) break;
    batch.bytes += key.size() + row.size();
    batch.records.push_back({.key = key,
                             .value = row,
                             .offset = static_cast<std::int64_t>(next_),
                             .has_key = true,
                             .has_value = true});
    ++next_;
  }
  batch.spans.push_back({.first_offset = static_cast<std::int64_t>(first),
                         .last_offset = static_cast<std::int64_t>(next_) - 1});
  return ReadStatus::Records;
}

void OutcomeSink::write(std::span<const OutputRecord> records, const WriteTerms&,
                        DeliveryListener& listener) noexcept {
  for (const OutputRecord& record : records) {
    const std::optional<std::size_t> row = row_of(record);
    if (!row || *row >= outcomes_.size()) {
      return listener.failed({.status = ExitStatus::Bug,
                              .message = "an evaluated record carries no row it came from"});
    }
    RowOutcome& outcome = outcomes_[*row];
    if (record.dead_letter != nullptr) {
      outcome.error = record.dead_letter->code;
    } else if (record.has_value) {
      outcome.value.emplace(record.value);
      for (const Header& header : record.headers) {
        if (header.name == score_header) outcome.score = number_of(header.value);
      }
    }
  }
  listener.delivered();
}

}  // namespace kaspar::cli
