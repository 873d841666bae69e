#include "runtime/cli/lines.hpp"

#include <chrono>

#include "nodes/file/line_source.hpp"

namespace kaspar::cli {

std::expected<void, Failure> for_each_line(
    const std::string& path,
    const std::function<std::expected<void, Failure>(std::string_view line)>& handle,
    const std::function<bool()>& stopped) {
  nodes::file::LineSource lines(0, path == "-" ? std::string{} : path, false);
  if (auto opened = lines.open(); !opened) return opened;
  RecordBatch batch;
  batch.records.reserve(max_batch_records);
  while (!stopped()) {
    batch.clear();
    const ReadStatus status = lines.read(batch, {.records = max_batch_records,
                                                 .bytes = 256u << 10,
                                                 .wait = std::chrono::milliseconds{100}});
    if (status == ReadStatus::Failed) return std::unexpected(lines.failure());
    for (const Record& record : batch.records) {
      if (stopped()) return {};
      if (auto handled = handle(record.value); !handled) return handled;
    }
    if (status == ReadStatus::End) break;
  }
  return {};
}

}  // namespace kaspar::cli
