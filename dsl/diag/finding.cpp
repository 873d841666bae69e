#include "dsl/diag/finding.hpp"

#include <utility>

#include "dsl/diag/explanation.hpp"

namespace kaspar::dsl {
namespace {

FindingPlace place_of(const SourceBuffer& source, Span span, std::string text) {
  const Position begin = source.position(span.begin);
  const Position end = source.position(span.end);
  return {.file = source.path(),
          .region = {.line = begin.line,
                     .column = begin.column,
                     .end_line = end.line,
                     .end_column = end.column},
          .text = std::move(text)};
}

}  // namespace

std::vector<Finding> findings_of(const Diagnostics& diagnostics) {
  std::vector<Finding> findings;
  for (const Diagnostic& entry : diagnostics.entries()) {
    Finding finding{.rule = std::string{name_of(entry.code)},
                    .rule_title = std::string{title_of(entry.code)},
                    .rule_text = std::string{explanation_of(entry.code)},
                    .error = entry.severity == Severity::Error,
                    .message = entry.message,
                    .place = place_of(*entry.source, entry.span, entry.label),
                    .related = {},
                    .fixes = {}};
    for (const std::string& note : entry.notes) finding.message += "\nnote: " + note;
    if (!entry.help.empty()) finding.message += "\nhelp: " + entry.help;
    for (const RelatedSpan& related : entry.related) {
      finding.related.push_back(place_of(*entry.source, related.span, related.text));
    }
    for (const Fix& fix : entry.fixes) {
      finding.fixes.push_back(
          {.place = place_of(*entry.source, fix.span, fix.text), .replacement = fix.replacement});
    }
    findings.push_back(std::move(finding));
  }
  return findings;
}

}  // namespace kaspar::dsl
