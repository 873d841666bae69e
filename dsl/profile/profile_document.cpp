#include "dsl/profile/profile_document.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/core/toml_text.hpp"

namespace kaspar::dsl {

ProfileDocument::ProfileDocument(std::shared_ptr<const SourceBuffer> source,
                                 Diagnostics& diagnostics)
    : source_(std::move(source)), diagnostics_(diagnostics) {
  line_begins_.push_back(0);
  const std::string_view text = source_->text();
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    line_begins_.push_back(static_cast<std::uint32_t>(at + 1));
}

/// Lines and columns count from 1, columns in code points.
std::uint32_t ProfileDocument::offset_of(const toml::source_position& position) const {
  const std::string_view text = source_->text();
  if (position.line == 0) return 0;
  if (position.line > line_begins_.size()) return static_cast<std::uint32_t>(text.size());
  std::size_t at = line_begins_[position.line - 1];
  for (toml::source_index column = 1; column < position.column && at < text.size(); ++column) {
    if (text[at] == '\n') break;
    at += std::max<std::size_t>(1, utf8_length(text.substr(at)));
  }
  return static_cast<std::uint32_t>(std::min(at, text.size()));
}

Span ProfileDocument::span_of(const toml::source_region& region) const {
  const Span span{offset_of(region.begin), offset_of(region.end)};
  return span.begin < span.end ? span : Span{span.begin, span.begin};
}

toml::table ProfileDocument::parse() {
  if (auto refused = refuse_for_toml(source_->text())) {
    const auto at = static_cast<std::uint32_t>(refused->offset);
    error(DiagnosticCode::K0702, {at, at}, std::move(refused->message));
    return {};
  }
  try {
    return toml::parse(source_->text(), source_->path());
  } catch (const toml::parse_error& failure) {
    const std::uint32_t at = offset_of(failure.source().begin);
    error(DiagnosticCode::K0702, {at, at},
          fmt::format("this is no TOML: {}", failure.description()));
    return {};
  }
}

void ProfileDocument::error(DiagnosticCode code, Span span, std::string message, std::string help) {
  diagnostics_.add({.code = code,
                    .source = source_,
                    .span = span,
                    .message = std::move(message),
                    .help = std::move(help)});
}

void ProfileDocument::unknown_key(Span span, std::string_view key, std::string_view of,
                                  const std::vector<std::string_view>& known) {
  Diagnostic diagnostic{
      .code = DiagnosticCode::K0702,
      .source = source_,
      .span = span,
      .message = fmt::format("unknown key `{}`{}", key,
                             of.empty() ? std::string{} : fmt::format(" in `[{}]`", of))};
  constexpr std::size_t most_listed = 12;
  const std::string_view meant = did_you_mean(key, known);
  if (!meant.empty()) {
    diagnostic.help = fmt::format("did you mean `{}`?", meant);
    diagnostic.fixes.push_back({span, std::string{meant}, fmt::format("write `{}`", meant)});
  } else if (known.size() <= most_listed) {
    diagnostic.help = fmt::format("there are: `{}`", fmt::join(known, "`, `"));
  }
  diagnostics_.add(std::move(diagnostic));
}

}  // namespace kaspar::dsl
