#include "runtime/engine/tap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/core/column_text.hpp"

namespace kaspar::engine {

void Tap::see(const Batch& batch, std::span<const Row> rows, std::optional<Slot> arm) noexcept {
  const std::lock_guard lock(mutex_);
  const auto now = Clock::now();
  if (now - second_ >= std::chrono::seconds{1}) {
    second_ = now;
    in_second_ = 0;
  }
  const auto* arms = point_.arm && arm ? batch.column(*arm).values<std::int64_t>() : nullptr;
  for (const Row row : rows) {
    if (arms != nullptr && arms[row] != static_cast<std::int64_t>(*point_.arm)) continue;
    ++passed_;
    if (in_second_ >= rows_a_second || kept_ >= most_kept || lines_.size() >= most_bytes) continue;
    ++in_second_;
    append(batch, row);
  }
}

void Tap::append(const Batch& batch, Row row) {
  const Record& record = batch.record(row);
  const auto& spans = batch.records().spans;
  std::string line = "{";
  if (record.span < spans.size() && !spans[record.span].topic.empty()) {
    line += "\"topic\":";
    append_bytes_json(line, spans[record.span].topic);
    line += fmt::format(",\"partition\":{},", spans[record.span].partition);
  }
  line += fmt::format("\"offset\":{},\"passed\":{},\"key\":", record.offset, passed_);
  const auto append_part = [&](std::string_view bytes, bool there) {
    if (!there) {
      line += "null";
    } else {
      append_bytes_json(line, bytes.substr(0, largest_row));
    }
  };
  append_part(record.key, record.has_key);
  if (point_.of_source) {
    line += ",\"value\":";
    append_part(record.value, record.has_value);
  } else {
    line += ",\"columns\":{";
    bool first = true;
    for (std::size_t slot = 0; slot < chain_.slots.size(); ++slot) {
      if (chain_.arm && *chain_.arm == slot) continue;
      const std::string& name = chain_.slots[slot].name;
      // One that replaces another comes after it.
      if (std::ranges::find(chain_.slots.begin() + static_cast<std::ptrdiff_t>(slot) + 1,
                            chain_.slots.end(), name, &Column::name) != chain_.slots.end()) {
        continue;
      }
      if (line.size() > largest_row) break;
      if (!std::exchange(first, false)) line += ',';
      append_bytes_json(line, name);
      line += ':';
      append_column_json(line, batch.column(static_cast<Slot>(slot)), row);
    }
    line += '}';
  }
  lines_ += line;
  lines_ += "}\n";
  ++kept_;
  passed_ = 0;
}

std::string Tap::take() {
  const std::lock_guard lock(mutex_);
  kept_ = 0;
  return std::exchange(lines_, {});
}

void Taps::add(std::shared_ptr<Tap> tap) {
  const std::lock_guard lock(mutex_);
  taps_.push_back(std::move(tap));
  count_ = taps_.size();
}

void Taps::remove(const Tap* tap) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(taps_, [tap](const auto& each) { return each.get() == tap; });
  count_ = taps_.size();
}

void Taps::see(const Batch& batch, std::span<const Row> rows, std::optional<Slot> arm,
               bool of_source) noexcept {
  const std::lock_guard lock(mutex_);
  for (const auto& tap : taps_) {
    if (tap->point().of_source == of_source) tap->see(batch, rows, arm);
  }
}

}  // namespace kaspar::engine
