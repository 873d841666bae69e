#include <fmt/format.h>

#include <iterator>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/diag/json_text.hpp"

namespace kaspar::dsl {
namespace {

void write_position(std::string& out, const Position& position) {
  fmt::format_to(std::back_inserter(out), R"({{"line":{},"column":{},"byte":{}}})", position.line,
                 position.column, position.byte);
}

void write_span(std::string& out, const SourceBuffer& source, Span span) {
  out += R"("span":{"start":)";
  write_position(out, source.position(span.begin));
  out += R"(,"end":)";
  write_position(out, source.position(span.end));
  out += '}';
}

template <class Items, class Write>
void write_list(std::string& out, const Items& items, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(item);
  }
  out += ']';
}

void write_diagnostic(std::string& out, const Diagnostic& entry) {
  const SourceBuffer& source = *entry.source;
  fmt::format_to(std::back_inserter(out), R"({{"code":"{}","severity":"{}","message":)",
                 name_of(entry.code), entry.severity == Severity::Error ? "error" : "warning");
  append_json_text(out, entry.message);
  out += R"(,"file":)";
  append_json_text(out, source.path());
  out += ',';
  write_span(out, source, entry.span);
  std::vector<RelatedSpan> labels;
  if (!entry.label.empty()) labels.push_back({entry.span, entry.label});
  labels.insert(labels.end(), entry.related.begin(), entry.related.end());
  out += R"(,"labels":)";
  write_list(out, labels, [&](const RelatedSpan& label) {
    out += '{';
    write_span(out, source, label.span);
    out += R"(,"text":)";
    append_json_text(out, label.text);
    out += '}';
  });
  out += R"(,"notes":)";
  write_list(out, entry.notes, [&](const std::string& note) { append_json_text(out, note); });
  out += R"(,"help":)";
  if (entry.help.empty()) {
    out += "null";
  } else {
    append_json_text(out, entry.help);
  }
  out += R"(,"fixes":)";
  write_list(out, entry.fixes, [&](const Fix& fix) {
    out += '{';
    write_span(out, source, fix.span);
    out += R"(,"replacement":)";
    append_json_text(out, fix.replacement);
    out += R"(,"text":)";
    append_json_text(out, fix.text);
    out += '}';
  });
  out += '}';
}

}  // namespace

std::string render_json(const Diagnostics& diagnostics, bool complete, std::string_view members) {
  std::string out;
  fmt::format_to(
      std::back_inserter(out),
      R"({{"format_version":1,"valid":{},"error_count":{},"warning_count":{},"diagnostics":)",
      complete && !diagnostics.has_errors(), diagnostics.errors(), diagnostics.warnings());
  write_list(out, diagnostics.entries(),
             [&](const Diagnostic& entry) { write_diagnostic(out, entry); });
  out += members;
  out += "}\n";
  return out;
}

}  // namespace kaspar::dsl
