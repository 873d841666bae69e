#include "runtime/cli/evaluation_endpoints.hpp"

#include "test/unit/catch.hpp"

namespace kaspar::cli {
namespace {

struct Listener final : DeliveryListener {
  void delivered() noexcept override { ++delivered_count; }
  void failed(Failure failure) noexcept override { failures.push_back(std::move(failure)); }
  void discarded() noexcept override { ++discarded_count; }
  void refused(std::span<const std::size_t>, std::string_view) noexcept override {}
  int delivered_count = 0;
  int discarded_count = 0;
  std::vector<Failure> failures;
};

}  // namespace

TEST_CASE("rows come in order, over as many batches as the limits want, then the end") {
  std::vector<std::string> rows(max_batch_records + 2, "1,2");
  RowSource source{rows};
  RecordBatch batch;
  std::size_t next = 0;
  const ReadLimits limits{.records = 1'000, .bytes = 1 << 20};
  while (source.read(batch, limits) == ReadStatus::Records) {
    REQUIRE(batch.records.size() <= 1'000);
    REQUIRE(batch.spans.size() == 1);
    CHECK(batch.spans[0].first_offset == static_cast<std::int64_t>(next));
    for (const Record& record : batch.records) {
      REQUIRE(record.key == std::to_string(next));
      REQUIRE(record.offset == static_cast<std::int64_t>(next));
      REQUIRE(record.value == "1,2");
      ++next;
    }
    CHECK(batch.spans[0].last_offset == static_cast<std::int64_t>(next) - 1);
    batch.clear();
  }
  CHECK(next == rows.size());
  CHECK(source.read(batch, limits) == ReadStatus::End);
}

TEST_CASE("a row larger than the limit is read alone") {
  const std::vector<std::string> rows{"1", std::string(100, '2'), "3"};
  RowSource source{rows};
  RecordBatch batch;
  const ReadLimits limits{.bytes = 10};
  for (const std::string& row : rows) {
    batch.clear();
    REQUIRE(source.read(batch, limits) == ReadStatus::Records);
    REQUIRE(batch.records.size() == 1);
    CHECK(batch.records[0].value == row);
  }
}

TEST_CASE("results and error rows are put down under their rows") {
  std::vector<RowOutcome> outcomes(3);
  OutcomeSink sink{outcomes};
  Listener listener;
  const DeadLetter dead{.stage = "parse", .code = DiagnosticCode::K0901, .offset = 1};
  const std::vector<OutputRecord> records{
      {.key = "2", .value = "Normal", .has_key = true},
      {.key = "x", .value = "1,2", .dead_letter = &dead, .has_key = true}};
  sink.write(records, {}, listener);
  CHECK(listener.delivered_count == 1);
  CHECK(listener.failures.empty());
  CHECK_FALSE(outcomes[0].value);
  CHECK(outcomes[1].error == DiagnosticCode::K0901);
  CHECK_FALSE(outcomes[1].value);
  CHECK(outcomes[2].value == "Normal");
}

TEST_CASE("a record of no known row is a bug, not a result") {
  std::vector<RowOutcome> outcomes(1);
  OutcomeSink sink{outcomes};
  for (const char* key : {"1", "-1", "", "0x"}) {
    Listener listener;
    const std::vector<OutputRecord> records{{.key = key, .value = "Normal", .has_key = true}};
    sink.write(records, {}, listener);
    CHECK(listener.delivered_count == 0);
    REQUIRE(listener.failures.size() == 1);
    CHECK(listener.failures[0].status == ExitStatus::Bug);
  }
  CHECK_FALSE(outcomes[0].value);
}

}  // namespace kaspar::cli
