// What labelled rows say of a model: accuracy, each class, what was taken for what, and whether its
// scores mean what they say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/cli/confusion_matrix.hpp"
#include "runtime/cli/evaluation_endpoints.hpp"

namespace kaspar::cli {

/// A label, as truth and as answer. What cannot be divided is nothing.
struct ClassQuality {
  std::string label;
  std::uint64_t rows = 0;       // that are of it, those that failed too
  std::uint64_t predicted = 0;  // that were taken for it
  std::uint64_t right = 0;

  [[nodiscard]] std::optional<double> precision() const noexcept;  // right / predicted
  [[nodiscard]] std::optional<double> recall() const noexcept;     // right / rows
  [[nodiscard]] std::optional<double> f1() const noexcept;         // their harmonic mean
};

/// Rows whose winning score lies in one tenth of 0..1.
struct ReliabilityBin {
  std::uint64_t rows = 0;
  std::uint64_t right = 0;
  double score = 0;  // sum
};

class EvaluationReport {
 public:
  /// More classes have no matrix; the largest of them are shown.
  static constexpr std::size_t most_classes = 50;

  /// `labels` and `outcomes` have an element a row.
  EvaluationReport(std::string pipeline, std::span<const std::string> labels,
                   std::span<const RowOutcome> outcomes);

  [[nodiscard]] std::string text() const;
  /// One object on one line.
  [[nodiscard]] std::string json() const;
  /// One page that needs nothing else: figures too.
  [[nodiscard]] std::string html() const;

  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }
  [[nodiscard]] const std::vector<ClassQuality>& classes() const noexcept { return classes_; }
  /// Ten bins; nothing where scores are unknown or no shares (outside 0..1).
  [[nodiscard]] const std::optional<std::array<ReliabilityBin, 10>>& reliability() const noexcept {
    return reliability_;
  }
  /// How far scores are from the share that is right, on average over rows.
  [[nodiscard]] double calibration_error() const noexcept;
  [[nodiscard]] const ConfusionMatrix& matrix() const noexcept { return matrix_; }
  [[nodiscard]] double accuracy() const noexcept;

 private:
  void count_classes(std::span<const std::string> labels, std::span<const RowOutcome> outcomes);
  void bin_scores(std::span<const std::string> labels, std::span<const RowOutcome> outcomes);

  std::string pipeline_;
  std::uint64_t rows_ = 0;
  std::uint64_t failures_ = 0;
  std::map<DiagnosticCode, std::uint64_t> failed_;
  ConfusionMatrix matrix_;
  std::vector<ClassQuality> classes_;  // by label
  std::size_t left_out_ = 0;           // classes
  std::optional<std::array<ReliabilityBin, 10>> reliability_;
  std::string why_no_reliability_;
};

}  // namespace kaspar::cli
