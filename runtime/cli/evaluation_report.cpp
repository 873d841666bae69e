#include "runtime/cli/evaluation_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <utility>

#include "runtime/observe/escaped_text.hpp"
#include "runtime/observe/json_writer.hpp"

namespace kaspar::cli {
namespace {

std::optional<double> share(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

std::string shown(std::optional<double> value) {
  return value ? fmt::format("{:.3f}", *value) : std::string{"–"};
}

void number_or_null(observe::JsonWriter& json, std::string_view name, std::optional<double> value) {
  json.key(name);
  value ? json.value(*value) : json.null();
}

/// Columns that a terminal gives it, about: one for each character.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string padded(std::string text, std::size_t columns) {
  if (const std::size_t own = width(text); own < columns) text.append(columns - own, ' ');
  return text;
}

}  // namespace

std::optional<double> ClassQuality::precision() const noexcept { return share(right, predicted); }
std::optional<double> ClassQuality::recall() const noexcept { return share(right, rows); }
std::optional<double> ClassQuality::f1() const noexcept {
  return share(2 * right, rows + predicted);
}

EvaluationReport::EvaluationReport(std::string pipeline, std::span<const std::string> labels,
                                   std::span<const RowOutcome> outcomes)
    : pipeline_(std::move(pipeline)), rows_(outcomes.size()) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (outcomes[i].error) {
      ++failed_[*outcomes[i].error];
      ++failures_;
    } else {
      matrix_.count(labels[i], outcomes[i].value.value_or("null"));
    }
  }
  count_classes(labels, outcomes);
  bin_scores(labels, outcomes);
}

void EvaluationReport::count_classes(std::span<const std::string> labels,
                                     std::span<const RowOutcome> outcomes) {
  std::map<std::string, ClassQuality> classes;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ++classes[labels[i]].rows;
    if (outcomes[i].error) continue;
    const std::string predicted = outcomes[i].value.value_or("null");
    ClassQuality& as = classes[predicted];
    ++as.predicted;
    if (predicted == labels[i]) ++as.right;
  }
  for (auto& [label, quality] : classes) {
    quality.label = label;
    classes_.push_back(std::move(quality));
  }
  if (classes_.size() <= most_classes) return;
  left_out_ = classes_.size() - most_classes;
  std::ranges::stable_sort(classes_, std::greater{},
                           [](const ClassQuality& each) { return each.rows + each.predicted; });
  classes_.resize(most_classes);
  std::ranges::sort(classes_, {}, &ClassQuality::label);
}

void EvaluationReport::bin_scores(std::span<const std::string> labels,
                                  std::span<const RowOutcome> outcomes) {
  std::array<ReliabilityBin, 10> bins{};
  std::uint64_t scored = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const RowOutcome& outcome = outcomes[i];
    if (outcome.error || !outcome.score) continue;
    const double score = *outcome.score;
    // Sums of shares may exceed 1 by a rounding.
    if (!(score >= -1e-6 && score <= 1 + 1e-6)) {
      why_no_reliability_ =
          "the scores are no shares of 1, so they cannot be compared with accuracy";
      return;
    }
    ++scored;
    const double tenth = std::floor(std::clamp(score, 0.0, 1.0) * 10);
    ReliabilityBin& bin = bins[std::min<std::size_t>(9, static_cast<std::size_t>(tenth))];
    ++bin.rows;
    bin.score += score;
    if (outcome.value == labels[i]) ++bin.right;
  }
  if (scored == 0) {
    why_no_reliability_ = "the label has no score";
    return;
  }
  reliability_ = bins;
}

double EvaluationReport::accuracy() const noexcept {
  // A row that failed was not labelled right either.
  return share(matrix_.right(), rows_).value_or(0);
}

double EvaluationReport::calibration_error() const noexcept {
  if (!reliability_) return 0;
  double error = 0;
  std::uint64_t rows = 0;
  for (const ReliabilityBin& bin : *reliability_) {
    error += std::abs(bin.score - static_cast<double>(bin.right));
    rows += bin.rows;
  }
  return rows == 0 ? 0 : error / static_cast<double>(rows);
}

std::string EvaluationReport::text() const {
  std::string out;
  auto to = std::back_inserter(out);
  fmt::format_to(to, "rows      {}\n", rows_);
  fmt::format_to(to, "accuracy  {:.2f} % ({} of {} right)\n", 100 * accuracy(), matrix_.right(),
                 rows_);
  fmt::format_to(to, "failed    {}", failures_);
  for (const auto& [code, count] : failed_) fmt::format_to(to, "  {} × {}", name_of(code), count);
  out += "\n\n";
  if (left_out_ == 0) {
    out += matrix_.text();
  } else {
    fmt::format_to(to, "{} classes: too many for a matrix; the {} largest:\n",
                   classes_.size() + left_out_, classes_.size());
  }
  std::size_t first = width("class");
  for (const ClassQuality& each : classes_) first = std::max(first, width(each.label));
  fmt::format_to(to, "\n{}  {:>9}  {:>9}  {:>9}  {:>9}\n", padded("class", first), "precision",
                 "recall", "f1", "rows");
  const auto cell = [](const std::string& value) {
    return std::string(9 - std::min<std::size_t>(9, width(value)), ' ') + value;
  };
  for (const ClassQuality& each : classes_) {
    std::string label;
    observe::append_escaped(label, each.label, false);
    fmt::format_to(to, "{}  {}  {}  {}  {:>9}\n", padded(label, first),
                   cell(shown(each.precision())), cell(shown(each.recall())),
                   cell(shown(each.f1())), each.rows);
  }
  if (!reliability_) {
    fmt::format_to(to, "\nno reliability: {}\n", why_no_reliability_);
    return out;
  }
  fmt::format_to(to, "\n{:<11}  {:>9}  {:>9}  {:>9}\n", "score", "rows", "mean", "right");
  for (std::size_t i = 0; i < reliability_->size(); ++i) {
    const ReliabilityBin& bin = (*reliability_)[i];
    if (bin.rows == 0) continue;
    fmt::format_to(to, "{:.1f} to {:.1f}   {:>9}  {:>9.3f}  {:>9.3f}\n",
                   static_cast<double>(i) / 10, static_cast<double>(i + 1) / 10, bin.rows,
                   bin.score / static_cast<double>(bin.rows),
                   static_cast<double>(bin.right) / static_cast<double>(bin.rows));
  }
  fmt::format_to(to, "expected calibration error  {:.4f}\n", calibration_error());
  return out;
}

std::string EvaluationReport::json() const {
  observe::JsonWriter json;
  json.begin_object()
      .field("format_version", 1)
      .field("pipeline", pipeline_)
      .field("rows", rows_)
      .field("right", matrix_.right())
      .field("accuracy", accuracy())
      .field("failed", failures_);
  json.key("failed_by_code").begin_object();
  for (const auto& [code, count] : failed_) json.field(name_of(code), count);
  json.end_object().field("classes_left_out", left_out_).key("classes").begin_array();
  for (const ClassQuality& each : classes_) {
    json.begin_object()
        .field("label", each.label)
        .field("rows", each.rows)
        .field("predicted", each.predicted)
        .field("right", each.right);
    number_or_null(json, "precision", each.precision());
    number_or_null(json, "recall", each.recall());
    number_or_null(json, "f1", each.f1());
    json.end_object();
  }
  json.end_array().key("confusion").begin_array();
  if (left_out_ == 0) {
    for (const auto& [pair, count] : matrix_.counts()) {
      json.begin_object()
          .field("truth", pair.first)
          .field("predicted", pair.second)
          .field("rows", count)
          .end_object();
    }
  }
  json.end_array().key("reliability");
  if (!reliability_) {
    json.null();
  } else {
    json.begin_object().field("expected_calibration_error", calibration_error()).key("bins");
    json.begin_array();
    for (std::size_t i = 0; i < reliability_->size(); ++i) {
      const ReliabilityBin& bin = (*reliability_)[i];
      json.begin_object()
          .field("from", static_cast<double>(i) / 10)
          .field("to", static_cast<double>(i + 1) / 10)
          .field("rows", bin.rows)
          .field("right", bin.right);
      number_or_null(
          json, "mean_score",
          bin.rows == 0 ? std::nullopt : std::optional{bin.score / static_cast<double>(bin.rows)});
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_object();
  return json.take();
}

}  // namespace kaspar::cli
