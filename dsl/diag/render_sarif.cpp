#include <fmt/format.h>

#include <iterator>
#include <map>

#include "dsl/diag/finding.hpp"
#include "dsl/diag/json_text.hpp"

namespace kaspar::dsl {
namespace {

void member(std::string& out, std::string_view name, std::string_view text) {
  append_json_text(out, name);
  out += ':';
  append_json_text(out, text);
}

/// {"text":…}
void message(std::string& out, std::string_view text) {
  out += '{';
  member(out, "text", text);
  out += '}';
}

template <class Items, class Write>
void list(std::string& out, const Items& items, Write write) {
  out += '[';
  bool first = true;
  for (const auto& item : items) {
    if (!first) out += ',';
    first = false;
    write(item);
  }
  out += ']';
}

/// A path as a URI reference (RFC 3986): relative ones stay so, absolute ones become file:///….
std::string uri_of(std::string_view path) {
  constexpr std::string_view kept =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    if (kept.find(c) != std::string_view::npos) {
      uri += c;
    } else {
      fmt::format_to(std::back_inserter(uri), "%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

void region(std::string& out, const Region& where) {
  fmt::format_to(std::back_inserter(out), R"({{"startLine":{},"startColumn":{})", where.line,
                 where.column);
  if (where.end_line != 0) {
    fmt::format_to(std::back_inserter(out), R"(,"endLine":{},"endColumn":{})", where.end_line,
                   where.end_column);
  }
  out += '}';
}

void artifact(std::string& out, std::string_view file) {
  out += R"("artifactLocation":{)";
  member(out, "uri", uri_of(file));
  out += '}';
}

/// The members of a location, without its braces.
void location(std::string& out, const FindingPlace& place) {
  out += R"("physicalLocation":{)";
  artifact(out, place.file);
  out += R"(,"region":)";
  region(out, place.region);
  out += '}';
  if (!place.text.empty()) {
    out += R"(,"message":)";
    message(out, place.text);
  }
}

void fix(std::string& out, const FindingFix& edit) {
  out += '{';
  if (!edit.place.text.empty()) {
    out += R"("description":)";
    message(out, edit.place.text);
    out += ',';
  }
  out += R"("artifactChanges":[{)";
  artifact(out, edit.place.file);
  out += R"(,"replacements":[{"deletedRegion":)";
  region(out, edit.place.region);
  out += R"(,"insertedContent":)";
  message(out, edit.replacement);
  out += "}]}]}";
}

void result(std::string& out, const Finding& finding, std::size_t rule) {
  out += '{';
  member(out, "ruleId", finding.rule);
  fmt::format_to(std::back_inserter(out), R"(,"ruleIndex":{},"level":"{}","message":)", rule,
                 finding.error ? "error" : "warning");
  message(out, finding.message);
  out += R"(,"locations":[{)";
  location(out, finding.place);
  out += "}]";
  if (!finding.related.empty()) {
    out += R"(,"relatedLocations":)";
    std::size_t id = 0;
    list(out, finding.related, [&](const FindingPlace& place) {
      fmt::format_to(std::back_inserter(out), R"({{"id":{},)", id++);
      location(out, place);
      out += '}';
    });
  }
  if (!finding.fixes.empty()) {
    out += R"(,"fixes":)";
    list(out, finding.fixes, [&](const FindingFix& edit) { fix(out, edit); });
  }
  out += '}';
}

void rule(std::string& out, const Finding& finding) {
  out += '{';
  member(out, "id", finding.rule);
  out += R"(,"shortDescription":)";
  message(out, finding.rule_title);
  if (!finding.rule_text.empty()) {
    out += R"(,"help":{)";
    member(out, "text", finding.rule_text);
    out += ',';
    member(out, "markdown", finding.rule_text);
    out += '}';
  }
  out += '}';
}

}  // namespace

std::string render_sarif(std::span<const Finding> findings, std::string_view version,
                         std::span<const std::string> unreadable) {
  std::map<std::string_view, std::size_t> index;
  std::vector<const Finding*> rules;
  for (const Finding& finding : findings) {
    if (index.try_emplace(finding.rule, rules.size()).second) rules.push_back(&finding);
  }
  std::string out =
      R"({"$schema":"https://json.schemastore.org/sarif-2.1.0.json","version":"2.1.0","runs":[{"tool":{"driver":{"name":"kaspar",)";
  member(out, "version", version);
  out += R"(,"rules":)";
  list(out, rules, [&](const Finding* finding) { rule(out, *finding); });
  fmt::format_to(
      std::back_inserter(out),
      R"(}}}},"columnKind":"unicodeCodePoints","invocations":[{{"executionSuccessful":{})",
      unreadable.empty());
  if (!unreadable.empty()) {
    out += R"(,"toolExecutionNotifications":)";
    list(out, unreadable, [&](const std::string& why) {
      out += R"({"level":"error","message":)";
      message(out, why);
      out += '}';
    });
  }
  out += R"(}],"results":)";
  list(out, findings,
       [&](const Finding& finding) { result(out, finding, index.at(finding.rule)); });
  out += "}]}\n";
  return out;
}

}  // namespace kaspar::dsl
