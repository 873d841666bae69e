// The page of an evaluation: tables and figures without scripts or anything else from outside.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "runtime/cli/evaluation_report.hpp"
#include "runtime/observe/escaped_text.hpp"

namespace kaspar::cli {
namespace {

constexpr std::string_view style = R"css(
:root { color-scheme: light dark; --bg: #f6f7f9; --card: #fff; --ink: #1b2430; --soft: #5a6675; --line: #d9dee5;
  --accent: #0b62b8; --out: #7a3fb0; }
@media (prefers-color-scheme: dark) { :root { --bg: #11161d; --card: #1a212b; --ink: #e6ebf1; --soft: #9dabba;
  --line: #303b48; --accent: #6bb3ff; --out: #c79bf2; } }
body { margin: 0; padding: 16px; background: var(--bg); color: var(--ink); font: 15px/1.45 system-ui, sans-serif; }
h1 { font-size: 1.3rem; overflow-wrap: anywhere; } h2 { font-size: 1rem; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 12px; margin: 12px 0; overflow: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: 3px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; } th[scope=row], thead th:first-child { text-align: left; }
.big { font-size: 1.6rem; } .soft { color: var(--soft); } svg { max-width: 100%; height: auto; }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif; } svg .soft { fill: var(--soft); }
svg .axis { stroke: var(--line); } svg .ideal { stroke: var(--soft); stroke-dasharray: 4 4; }
svg .line { fill: none; stroke: var(--accent); stroke-width: 2; } svg .dot { fill: var(--accent); }
svg .bar { fill: var(--out); opacity: .35; } svg .p { fill: var(--accent); } svg .r { fill: var(--out); }
td.cell { color: #000; }
)css";

/// Text of the file and its rows: never markup.
std::string html_text(std::string_view text) {
  std::string harmless;
  observe::append_escaped(harmless, text, false);
  std::string out;
  for (const char c : harmless) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string shown(std::optional<double> value) {
  return value ? fmt::format("{:.3f}", *value) : std::string{"–"};
}

std::string class_table(const EvaluationReport& report) {
  std::string out =
      "<section><h2>Classes</h2><table><thead><tr><th scope=\"col\">class</th><th "
      "scope=\"col\">precision</th><th scope=\"col\">recall</th><th scope=\"col\">f1</th><th "
      "scope=\"col\">rows</th></tr></thead><tbody>\n";
  for (const ClassQuality& each : report.classes()) {
    out += fmt::format(
        "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
        html_text(each.label), shown(each.precision()), shown(each.recall()), shown(each.f1()),
        each.rows);
  }
  return out + "</tbody></table></section>\n";
}

std::string class_bars(const EvaluationReport& report) {
  constexpr int row = 34;
  constexpr int left = 190;
  const auto height = static_cast<int>(report.classes().size()) * row + 24;
  std::string out = fmt::format(
      "<section><h2>Precision and recall</h2><svg role=\"img\" aria-label=\"precision and recall "
      "of "
      "each class\" width=\"560\" height=\"{0}\" viewBox=\"0 0 560 {0}\">\n",
      height);
  int y = 4;
  for (const ClassQuality& each : report.classes()) {
    std::string label = each.label;
    if (label.size() > 24) label = label.substr(0, 23) + "…";
    out += fmt::format("<text x=\"0\" y=\"{}\">{}</text>", y + 17, html_text(label));
    out += fmt::format("<rect class=\"p\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"11\"/>", left,
                       y + 2, 300 * each.precision().value_or(0));
    out += fmt::format("<rect class=\"r\" x=\"{}\" y=\"{}\" width=\"{:.1f}\" height=\"11\"/>", left,
                       y + 15, 300 * each.recall().value_or(0));
    out += fmt::format("<text class=\"soft\" x=\"{}\" y=\"{}\">{} / {}</text>\n", left + 308,
                       y + 18, shown(each.precision()), shown(each.recall()));
    y += row;
  }
  return out + fmt::format(
                   "<text class=\"soft\" x=\"{}\" y=\"{}\">0</text><text class=\"soft\" "
                   "x=\"{}\" y=\"{}\">1: precision above, recall below</text></svg></section>\n",
                   left, y + 14, left + 150, y + 14);
}

std::string matrix_table(const EvaluationReport& report) {
  std::string out =
      "<section><h2>What was taken for what</h2><table><thead><tr><th scope=\"col\">true \\ "
      "predicted</th>";
  std::uint64_t most = 1;
  for (const auto& [pair, count] : report.matrix().counts()) most = std::max(most, count);
  for (const ClassQuality& each : report.classes()) {
    out += fmt::format("<th scope=\"col\">{}</th>", html_text(each.label));
  }
  out += "</tr></thead><tbody>\n";
  for (const ClassQuality& truth : report.classes()) {
    out += fmt::format("<tr><th scope=\"row\">{}</th>", html_text(truth.label));
    for (const ClassQuality& predicted : report.classes()) {
      const auto found = report.matrix().counts().find({truth.label, predicted.label});
      const std::uint64_t count = found == report.matrix().counts().end() ? 0 : found->second;
      if (count == 0) {
        out += "<td class=\"soft\">0</td>";
        continue;
      }
      const double strength = 0.25 + 0.75 * static_cast<double>(count) / static_cast<double>(most);
      const bool right = truth.label == predicted.label;
      out += fmt::format("<td class=\"cell\" style=\"background: hsl({} 70% {:.0f}%)\">{}</td>",
                         right ? 145 : 5, 92 - 32 * strength, count);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></section>\n";
}

std::string reliability_figure(const EvaluationReport& report) {
  if (!report.reliability()) return {};
  constexpr double size = 260;
  constexpr double left = 40;
  constexpr double top = 10;
  const auto x = [](double share) { return left + size * share; };
  const auto y = [](double share) { return top + size * (1 - share); };
  std::uint64_t most = 1;
  for (const ReliabilityBin& bin : *report.reliability()) most = std::max(most, bin.rows);
  std::string out = fmt::format(
      "<section><h2>Reliability</h2><p class=\"soft\">Of the rows with a score of so much, so many "
      "should be right. Expected calibration error {:.4f}; the bars are how many rows there "
      "are.</p><svg role=\"img\" aria-label=\"share that is right, by score\" width=\"360\" "
      "height=\"320\" viewBox=\"0 0 360 320\">\n",
      report.calibration_error());
  auto to = std::back_inserter(out);
  std::string points;
  std::string dots;
  for (std::size_t i = 0; i < 10; ++i) {
    const ReliabilityBin& bin = (*report.reliability())[i];
    if (bin.rows == 0) continue;
    const double share = static_cast<double>(bin.rows) / static_cast<double>(most);
    fmt::format_to(to,
                   "<rect class=\"bar\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" "
                   "height=\"{:.1f}\"/>\n",
                   x(static_cast<double>(i) / 10) + 1, y(share), size / 10 - 2, size * share);
    const double score = bin.score / static_cast<double>(bin.rows);
    const double right = static_cast<double>(bin.right) / static_cast<double>(bin.rows);
    points += fmt::format("{:.1f},{:.1f} ", x(score), y(right));
    dots += fmt::format(
        "<circle class=\"dot\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\"><title>{} rows, mean score "
        "{:.3f}, right {:.3f}</title></circle>\n",
        x(score), y(right), bin.rows, score, right);
  }
  fmt::format_to(to,
                 "<path class=\"axis\" fill=\"none\" d=\"M{0} {1}V{2}H{3}\"/><line class=\"ideal\" "
                 "x1=\"{0}\" y1=\"{2}\" x2=\"{3}\" y2=\"{1}\"/>\n",
                 x(0), y(1), y(0), x(1));
  fmt::format_to(to, "<polyline class=\"line\" points=\"{}\"/>\n{}", points, dots);
  for (const double share : {0.0, 0.5, 1.0}) {
    fmt::format_to(to,
                   "<text class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text><text "
                   "class=\"soft\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n",
                   x(share), y(0) + 16, share, left - 6, y(share) + 4, share);
  }
  return out + fmt::format(
                   "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">score</text><text "
                   "x=\"{}\" y=\"{}\">share right</text></svg></section>\n",
                   x(0.5), y(0) + 34, left + 6, top + 14);
}

}  // namespace

std::string EvaluationReport::html() const {
  std::string failed;
  for (const auto& [code, count] : failed_) {
    failed += fmt::format("{}{} × {}", failed.empty() ? ": " : ", ", name_of(code), count);
  }
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta "
      "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>{0} – evaluation</title>\n<style>{1}</style></head>\n<body>"
      "<h1>{0}</h1>\n<section><h2>Accuracy</h2><p class=\"big\">{2:.2f} %</p><p>{3} of {4} rows "
      "right; {5} failed{6}, which counts as wrong.</p></section>\n",
      html_text(pipeline_), style, 100 * accuracy(), matrix_.right(), rows_, failures_, failed);
  if (left_out_ != 0) {
    out += fmt::format("<p>{} classes: too many for a matrix; the {} largest are shown.</p>\n",
                       classes_.size() + left_out_, classes_.size());
  }
  out += class_bars(*this) + class_table(*this);
  if (left_out_ == 0) out += matrix_table(*this);
  out += reliability_figure(*this);
  if (!reliability_) {
    out += fmt::format("<p class=\"soft\">No reliability figure: {}.</p>\n",
                       html_text(why_no_reliability_));
  }
  return out + "</body></html>\n";
}

}  // namespace kaspar::cli
