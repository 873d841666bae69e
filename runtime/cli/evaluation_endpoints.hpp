// What `eval` puts in place of a pipeline's endpoints: rows in memory as the source, and a sink
// that remembers what each row became.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"

namespace kaspar::cli {

/// Gives one record a row, in order, with the row's index as its offset and its decimal text as
/// its key. The rows outlive it.
class RowSource final : public Source {
 public:
  explicit RowSource(std::span<const std::string> rows) : rows_{rows} {}

  [[nodiscard]] std::expected<void, Failure> open() override { return {}; }
  [[nodiscard]] ReadStatus read(RecordBatch& batch, const ReadLimits& limits) noexcept override;
  void serve(std::chrono::milliseconds) noexcept override {}
  void acknowledge(const RecordBatch&) noexcept override {}
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds) override {
    return {};
  }
  [[nodiscard]] const Failure& failure() const noexcept override { return failure_; }

 private:
  std::span<const std::string> rows_;
  std::size_t next_ = 0;
  Failure failure_;
};

/// The header that carries the score of a row's label.
inline constexpr std::string_view score_header = "score";

/// What a row became: a value, or an error.
struct RowOutcome {
  std::optional<std::string> value;
  std::optional<double> score;  // of the label
  std::optional<DiagnosticCode> error;
};

/// Puts down each record under the row whose decimal text is its key; an error row counts by its
/// offset. `outcomes` has an element a row, outlives the sink and is written by the thread that
/// calls write().
class OutcomeSink final : public Sink {
 public:
  explicit OutcomeSink(std::span<RowOutcome> outcomes) : outcomes_{outcomes} {}

  [[nodiscard]] std::expected<void, Failure> open() override { return {}; }
  void write(std::span<const OutputRecord> records, const WriteTerms&,
             DeliveryListener& listener) noexcept override;
  [[nodiscard]] std::expected<void, Failure> close(std::chrono::milliseconds) override {
    return {};
  }

 private:
  std::span<RowOutcome> outcomes_;
};

}  // namespace kaspar::cli
