#include <fmt/format.h>

#include <iterator>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {
namespace {

using Out = std::back_insert_iterator<std::string>;

/// A JSON string; bytes that are no UTF-8 become U+FFFD, so that the output always is.
void write_string(Out out, std::string_view text) {
  *out = '"';
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      fmt::format_to(out, "\xEF\xBF\xBD");
    } else if (c == '"' || c == '\\') {
      fmt::format_to(out, "\\{}", c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      fmt::format_to(out, "\\u{:04x}", static_cast<unsigned>(c));
    } else {
      fmt::format_to(out, "{}", text.substr(0, length));
    }
    text.remove_prefix(std::max<std::size_t>(1, length));
  }
  *out = '"';
}

void write_position(Out out, const Position& position) {
  fmt::format_to(out, R"({{"line":{},"column":{},"byte":{}}})", position.line, position.column,
                 position.byte);
}

void write_span(Out out, const SourceBuffer& source, Span span) {
  fmt::format_to(out, R"("span":{{"start":)");
  write_position(out, source.position(span.begin));
  fmt::format_to(out, R"(,"end":)");
  write_position(out, source.position(span.end));
  *out = '}';
}

template <class Items, class Write>
void write_list(Out out, const Items& items, Write write) {
  *out = '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) *out = ',';
    first = false;
    write(item);
  }
  *out = ']';
}

void write_diagnostic(Out out, const Diagnostic& entry) {
  const SourceBuffer& source = *entry.source;
  fmt::format_to(out, R"({{"code":"{}","severity":"{}","message":)", name_of(entry.code),
                 entry.severity == Severity::Error ? "error" : "warning");
  write_string(out, entry.message);
  fmt::format_to(out, R"(,"file":)");
  write_string(out, source.path());
  *out = ',';
  write_span(out, source, entry.span);
  std::vector<RelatedSpan> labels;
  if (!entry.label.empty()) labels.push_back({entry.span, entry.label});
  labels.insert(labels.end(), entry.related.begin(), entry.related.end());
  fmt::format_to(out, R"(,"labels":)");
  write_list(out, labels, [&](const RelatedSpan& label) {
    *out = '{';
    write_span(out, source, label.span);
    fmt::format_to(out, R"(,"text":)");
    write_string(out, label.text);
    *out = '}';
  });
  fmt::format_to(out, R"(,"notes":)");
  write_list(out, entry.notes, [&](const std::string& note) { write_string(out, note); });
  fmt::format_to(out, R"(,"help":)");
  if (entry.help.empty()) {
    fmt::format_to(out, "null");
  } else {
    write_string(out, entry.help);
  }
  fmt::format_to(out, R"(,"fixes":)");
  write_list(out, entry.fixes, [&](const Fix& fix) {
    *out = '{';
    write_span(out, source, fix.span);
    fmt::format_to(out, R"(,"replacement":)");
    write_string(out, fix.replacement);
    fmt::format_to(out, R"(,"text":)");
    write_string(out, fix.text);
    *out = '}';
  });
  *out = '}';
}

}  // namespace

std::string render_json(const Diagnostics& diagnostics) {
  std::string text;
  Out out = std::back_inserter(text);
  fmt::format_to(
      out, R"({{"format_version":1,"valid":{},"error_count":{},"warning_count":{},"diagnostics":)",
      !diagnostics.has_errors(), diagnostics.errors(), diagnostics.warnings());
  write_list(out, diagnostics.entries(),
             [&](const Diagnostic& entry) { write_diagnostic(out, entry); });
  text += "}\n";
  return text;
}

}  // namespace kaspar::dsl
