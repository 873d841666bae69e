// How the checker words what it finds.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {

/// Adds the candidate that was probably meant, or, of a few candidates, all.
void suggest(Diagnostic& diagnostic, std::string_view name,
             const std::vector<std::string_view>& candidates);

/// Adds errors of one file.
class Report {
 public:
  Report(std::shared_ptr<const SourceBuffer> source, Diagnostics& diagnostics)
      : source_(std::move(source)), diagnostics_(diagnostics) {}

  void error(DiagnosticCode code, Span span, std::string message, std::string help = {},
             std::vector<RelatedSpan> related = {}) {
    diagnostics_.add({.code = code,
                      .source = source_,
                      .span = span,
                      .message = std::move(message),
                      .related = std::move(related),
                      .help = std::move(help)});
  }
  void add(Diagnostic diagnostic) {
    diagnostic.source = source_;
    diagnostics_.add(std::move(diagnostic));
  }
  /// K0201, with a suggestion where one is right; `of`: what would have it.
  void unknown(Span span, std::string_view what, std::string_view name,
               const std::vector<std::string_view>& candidates, std::string_view of = {},
               std::vector<RelatedSpan> related = {});
  [[nodiscard]] bool has_errors() const { return diagnostics_.has_errors(); }
  [[nodiscard]] const SourceBuffer& source() const { return *source_; }

 private:
  std::shared_ptr<const SourceBuffer> source_;
  Diagnostics& diagnostics_;
};

}  // namespace kaspar::dsl
