#include "dsl/check/report.hpp"

#include <fmt/format.h>

#include "dsl/lex/token_buffer.hpp"
#include "runtime/core/excerpt.hpp"

namespace kaspar::dsl {

void suggest(Diagnostic& diagnostic, std::string_view name,
             const std::vector<std::string_view>& candidates) {
  constexpr std::size_t most_listed = 12;
  const std::string_view meant = did_you_mean(name, candidates);
  if (!meant.empty()) {
    diagnostic.help = fmt::format("did you mean `{}`?", meant);
    diagnostic.fixes.push_back(
        {diagnostic.span, std::string{meant}, fmt::format("write `{}`", meant)});
  } else if (!candidates.empty() && candidates.size() <= most_listed) {
    diagnostic.help = fmt::format("there are: `{}`", fmt::join(candidates, "`, `"));
  }
}

void Report::unknown(Span span, std::string_view what, std::string_view name,
                     const std::vector<std::string_view>& candidates, std::string_view of,
                     std::vector<RelatedSpan> related) {
  if (is_reserved(name)) return;  // the parser said so (K0202)
  Diagnostic diagnostic{.code = DiagnosticCode::K0201,
                        .span = span,
                        .message = fmt::format("unknown {} {}", what, excerpt(name)),
                        .related = std::move(related)};
  if (!of.empty()) diagnostic.message += fmt::format(" of `{}`", of);
  suggest(diagnostic, name, candidates);
  add(std::move(diagnostic));
}

}  // namespace kaspar::dsl
