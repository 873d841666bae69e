#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {
namespace {

struct Colours {
  std::string_view error = "", warning = "", frame = "", bold = "", end = "";
};

constexpr Colours no_colours{};
constexpr Colours terminal_colours{.error = "\x1b[1;31m",
                                   .warning = "\x1b[1;33m",
                                   .frame = "\x1b[1;34m",
                                   .bold = "\x1b[1m",
                                   .end = "\x1b[0m"};

// A line longer than this is cut around the caret: a terminal shows no more.
constexpr std::size_t longest_line = 160;

class Renderer {
 public:
  Renderer(std::string& text, const Diagnostics& diagnostics, const Colours& colours)
      : out_(std::back_inserter(text)), diagnostics_(diagnostics), colours_(colours) {}

  void render(const Diagnostic& entry) {
    const SourceBuffer& source = *entry.source;
    const Position place = source.position(entry.span.begin);
    std::uint32_t last_line = place.line;
    for (const RelatedSpan& related : entry.related) {
      last_line = std::max(last_line, source.position(related.span.begin).line);
    }
    width_ = fmt::formatted_size("{}", last_line);
    const bool error = entry.severity == Severity::Error;
    fmt::format_to(out_, "{}{}[{}]{}{}: {}{}\n", error ? colours_.error : colours_.warning,
                   error ? "error" : "warning", name_of(entry.code), colours_.end, colours_.bold,
                   shown_on_terminal(entry.message), colours_.end);
    fmt::format_to(out_, "{:{}}{}-->{} {}:{}:{}\n", "", width_, colours_.frame, colours_.end,
                   shown_on_terminal(source.path()), place.line, place.column);
    frame("");
    excerpt(source, entry.span, entry.label, '^', error ? colours_.error : colours_.warning);
    for (const RelatedSpan& related : entry.related) {
      excerpt(source, related.span, related.text, '-', colours_.frame);
    }
    for (const std::string& note : entry.notes) remark("note", note);
    if (!entry.help.empty()) remark("help", entry.help);
    *out_ = '\n';
  }

 private:
  void frame(std::string_view text) {
    fmt::format_to(out_, "{:{}} {}|{}{}\n", "", width_, colours_.frame, colours_.end, text);
  }

  void remark(std::string_view kind, std::string_view text) {
    fmt::format_to(out_, "{:{}} {}={} {}{}:{} {}\n", "", width_, colours_.frame, colours_.end,
                   colours_.bold, kind, colours_.end, shown_on_terminal(text));
  }

  /// The line of a span's start, and a caret below each of its code points there.
  void excerpt(const SourceBuffer& source, Span span, std::string_view label, char caret,
               std::string_view colour) {
    const std::string_view line = source.line_at(span.begin);
    const std::uint32_t begin = source.line_begin(span.begin);
    // A span may begin at the end of the line.
    const std::size_t from = std::min<std::size_t>(span.begin - begin, line.size());
    const std::size_t to = std::clamp<std::size_t>(span.end - begin, from, line.size());
    const bool whole = line.size() <= longest_line;
    std::size_t cut = whole || from <= longest_line / 2 ? 0 : from - longest_line / 2;
    while (cut > 0 && (static_cast<unsigned char>(line[cut]) & 0xC0u) == 0x80u) --cut;
    std::size_t end = std::min(line.size(), cut + longest_line);
    while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0u) == 0x80u) ++end;
    const std::string_view lead = cut > 0 ? "…" : "";
    const std::size_t before = count_code_points(line.substr(cut, from - cut)) + (cut > 0 ? 1 : 0);
    const std::size_t carets =
        std::max<std::size_t>(1, count_code_points(line.substr(from, std::min(to, end) - from)));
    fmt::format_to(
        out_, "{}{:{}} |{} {}{}{}\n", colours_.frame, source.position(span.begin).line, width_,
        colours_.end, lead,
        shown_part(source, begin + static_cast<std::uint32_t>(cut), line.substr(cut, end - cut)),
        end < line.size() ? "…" : "");
    fmt::format_to(out_, "{:{}} {}|{} {:{}}{}{}{}{}{}\n", "", width_, colours_.frame, colours_.end,
                   "", before, colour, std::string(carets, caret), label.empty() ? "" : " ",
                   shown_on_terminal(label), colours_.end);
  }

  /// A part of a line as it can be shown, its secrets masked sign by sign.
  [[nodiscard]] std::string shown_part(const SourceBuffer& source, std::uint32_t begin,
                                       std::string_view part) const {
    std::string text;
    while (!part.empty()) {
      const std::size_t length = std::max<std::size_t>(1, utf8_length(part));
      text += diagnostics_.hides(source, begin) ? "*" : shown_on_terminal(part.substr(0, length));
      part.remove_prefix(length);
      begin += static_cast<std::uint32_t>(length);
    }
    return text;
  }

  std::back_insert_iterator<std::string> out_;
  const Diagnostics& diagnostics_;
  const Colours& colours_;
  std::size_t width_ = 1;
};

}  // namespace

std::string shown_on_terminal(std::string_view line) {
  std::string text;
  while (!line.empty()) {
    const std::size_t length = utf8_length(line);
    const auto lead = static_cast<unsigned char>(line.front());
    if (length == 0 || lead == 0x7F || (lead < 0x20 && lead != '\t') ||
        (length == 2 && lead == 0xC2 && static_cast<unsigned char>(line[1]) < 0xA0)) {
      text += "\xEF\xBF\xBD";
    } else if (lead == '\t') {
      text += ' ';
    } else {
      text += line.substr(0, length);
    }
    line.remove_prefix(std::max<std::size_t>(1, length));
  }
  return text;
}

std::string render_human(const Diagnostics& diagnostics, bool colour) {
  std::string text;
  Renderer renderer(text, diagnostics, colour ? terminal_colours : no_colours);
  for (const Diagnostic& entry : diagnostics.entries()) renderer.render(entry);
  return text;
}

}  // namespace kaspar::dsl
