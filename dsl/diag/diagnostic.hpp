// Diagnostics: what is wrong in a file, where, and the way out.
//
// Wording: lower-case, no full stop, code in backticks, the situation before the hint. The primary
// span is the smallest construct that is wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dsl/source/source_buffer.hpp"
#include "runtime/core/diagnostic_code.hpp"

namespace kaspar::dsl {

enum class Severity : std::uint8_t { Error, Warning };

/// A related place of the same file, with what it has to do with the problem.
struct RelatedSpan {
  Span span;
  std::string text;
};

/// An edit that mends the problem: the span's text becomes `replacement`.
struct Fix {
  Span span;
  std::string replacement;
  std::string text;  // what the edit does
};

struct Diagnostic {
  DiagnosticCode code = DiagnosticCode::K0101;
  Severity severity = Severity::Error;
  std::shared_ptr<const SourceBuffer> source;
  Span span;
  std::string message;
  std::string label;  // beside the caret; may be empty
  std::vector<RelatedSpan> related;
  std::vector<std::string> notes;
  std::string help;  // may be empty
  std::vector<Fix> fixes;
};

/// The diagnostics of one compilation. Not thread-safe.
class Diagnostics {
 public:
  void add(Diagnostic diagnostic) { entries_.push_back(std::move(diagnostic)); }

  /// What stands there is a secret: it is not shown in excerpts.
  void hide(const SourceBuffer& source, Span span) { hidden_[&source][span.begin] = span.end; }
  [[nodiscard]] bool hides(const SourceBuffer& source, std::uint32_t offset) const noexcept;

  /// Takes over those of another compilation, once each: files may use the same file.
  void append(const Diagnostics& others);

  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(entries_, predicate);
  }

  /// Puts them into source order: by file as first reported, then place.
  void sort();

  [[nodiscard]] const std::vector<Diagnostic>& entries() const noexcept { return entries_; }
  [[nodiscard]] std::size_t errors() const noexcept;
  [[nodiscard]] std::size_t warnings() const noexcept { return entries_.size() - errors(); }
  [[nodiscard]] bool has_errors() const noexcept { return errors() != 0; }

 private:
  std::vector<Diagnostic> entries_;
  /// Ends of hidden spans by their beginnings, of each source; those are compared, never followed.
  std::map<const SourceBuffer*, std::map<std::uint32_t, std::uint32_t>> hidden_;
};

/// For people: code, place, source line with a caret, related places, notes, help.
[[nodiscard]] std::string render_human(const Diagnostics& diagnostics, bool colour);

/// A line as it can be shown: tabs as spaces, control characters and bad UTF-8 as one sign each, so
/// that carets stand below what they mean and a file cannot steer the terminal.
[[nodiscard]] std::string shown_on_terminal(std::string_view line);

/// For programs: one JSON object, as the contract has it (`format_version` 1). It is not `valid`
/// where there are errors, or where it is not `complete`, because files could not be read.
/// `members` are more members of the object: `,"name":value`.
[[nodiscard]] std::string render_json(const Diagnostics& diagnostics, bool complete = true,
                                      std::string_view members = {});

/// The candidate that `name` was probably meant to be: nearest by edit distance (insertion,
/// deletion, substitution, and transposition of neighbours: Damerau 1964, restricted form), at most
/// a third of its length away and nearer than any other; empty if there is none.
[[nodiscard]] std::string_view did_you_mean(std::string_view name,
                                            const std::vector<std::string_view>& candidates);

}  // namespace kaspar::dsl
