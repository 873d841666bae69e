#include "dsl/check/definitions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <utility>

namespace kaspar::dsl {

std::string_view name_of(Definition::Kind kind) noexcept {
  switch (kind) {
    case Definition::Kind::Source:
      return "source";
    case Definition::Kind::Sink:
      return "sink";
    case Definition::Kind::Model:
      return "model";
    case Definition::Kind::Schema:
      return "schema";
    case Definition::Kind::Param:
      return "parameter";
    case Definition::Kind::Function:
      return "function";
    case Definition::Kind::Stream:
      return "stream";
    case Definition::Kind::Used:
      return "used file";
    case Definition::Kind::Unknown:
      break;
  }
  return "name";
}

FileDefinitions::FileDefinitions(ast::File parsed, Diagnostics& diagnostics)
    : file(std::move(parsed)),
      directory(std::filesystem::path(file.source->path()).parent_path().string()),
      report(file.source, diagnostics) {}

bool FileDefinitions::enter(const ast::Name& name, Definition definition) {
  if (name.empty()) return false;
  if (name.text == "meta" || name.text == "drop" || name.text == "fail" || name.text == "none") {
    const bool rows =
        definition.kind == Definition::Kind::Sink || definition.kind == Definition::Kind::Stream;
    if (rows || name.text == "meta") {
      report.error(DiagnosticCode::K0202, name.span, fmt::format("`{}` is reserved", name.text),
                   "choose another name");
      by_name.try_emplace(name.text, Definition{.span = name.span, .damaged = true, .used = true});
      return false;
    }
  }
  definition.span = name.span;
  const auto [earlier, fresh] = by_name.try_emplace(name.text, definition);
  if (fresh) return true;
  // That the definitions are of one name is all that is wrong with what hangs on it.
  earlier->second.used = true;
  std::string help;
  if (definition.kind == Definition::Kind::Stream) {
    if (earlier->second.kind == Definition::Kind::Sink) {
      help = fmt::format("an arm names a stream; write another name and `from NAME |> to {}`",
                         name.text);
    } else if (earlier->second.kind == Definition::Kind::Stream) {
      help = "give each a name of its own and join them: `from merge(A, B)`";
    }
  }
  // Whether a use of the name means this or that cannot be told.
  if (earlier->second.kind != definition.kind) earlier->second.kind = Definition::Kind::Unknown;
  report.error(DiagnosticCode::K0202, name.span, fmt::format("`{}` is defined twice", name.text),
               std::move(help), {{earlier->second.span, "first here"}});
  return false;
}

namespace {

// Of so many unknown names no one reads what may have been meant, and it would take long to find.
constexpr std::size_t most_suggested = 64;

/// What `name` is called here if a used file has it: with its prefix.
std::string in_used_file(const Program& program, const FileDefinitions& file, std::string_view name,
                         const std::function<bool(const Definition&)>& fits) {
  for (const auto& [prefix, used] : file.by_name) {
    if (used.kind != Definition::Kind::Used || used.damaged) continue;
    const auto& theirs = program.files[used.index]->by_name;
    const auto found = theirs.find(name);
    if (found != theirs.end() && fits(found->second)) return fmt::format("{}.{}", prefix, name);
  }
  return {};
}

}  // namespace

Definition* find(Program& program, FileDefinitions& file, const ast::Name& name,
                 std::initializer_list<Definition::Kind> kinds, std::string_view what) {
  FileDefinitions* in = &file;
  std::string_view last = name.text;
  Span span = name.span;
  if (const auto dot = name.text.find('.'); dot != std::string::npos) {
    const ast::Name qualifier{
        .text = name.text.substr(0, dot),
        .span = {name.span.begin, name.span.begin + static_cast<std::uint32_t>(dot)}};
    const Definition* used = find(program, file, qualifier, {Definition::Kind::Used}, "used file");
    if (used == nullptr || used->damaged) return nullptr;
    in = program.files[used->index].get();
    last.remove_prefix(dot + 1);
    span.begin = span.end - static_cast<std::uint32_t>(last.size());
  }
  const auto fits = [&](const Definition& definition) {
    return std::ranges::find(kinds, definition.kind) != kinds.end();
  };
  const auto found = in->by_name.find(last);
  if (found != in->by_name.end()) {
    found->second.used = true;
    if (fits(found->second)) return &found->second;
    if (found->second.kind == Definition::Kind::Unknown) return nullptr;
  }
  if (in == &file && file.nameless_use &&
      std::ranges::find(kinds, Definition::Kind::Used) != kinds.end()) {
    return nullptr;
  }
  if (!file.unknown.insert(fmt::format("{} {}", what, name.text)).second) return nullptr;
  const bool few = file.unknown.size() <= most_suggested;
  if (const std::string meant = few ? in_used_file(program, *in, last, fits) : std::string{};
      !meant.empty()) {
    file.report.error(DiagnosticCode::K0201, span, fmt::format("unknown {} `{}`", what, last),
                      fmt::format("did you mean `{}`?", meant));
    return nullptr;
  }
  std::vector<std::string_view> names;
  if (few) {
    for (const auto& [other, definition] : in->by_name) {
      if (fits(definition)) names.push_back(other);
    }
  }
  std::vector<RelatedSpan> related;
  if (found != in->by_name.end() && in == &file) {
    related.push_back(
        {found->second.span, fmt::format("`{}` is a {}", last, name_of(found->second.kind))});
  }
  file.report.unknown(span, what, last, names,
                      in == &file ? std::string_view{} : name.text.substr(0, name.text.find('.')),
                      std::move(related));
  return nullptr;
}

std::optional<ErrorPolicy> check_target(Program& program, FileDefinitions& file,
                                        const ast::Name& target) {
  if (target.text == "drop") return ErrorPolicy{.action = ErrorPolicy::Action::Drop};
  if (target.text == "fail") return ErrorPolicy{.action = ErrorPolicy::Action::Fail};
  const Definition* sink = find(program, file, target, {Definition::Kind::Sink}, "sink");
  if (sink == nullptr) return std::nullopt;
  if (!sink->damaged && program.plan.sinks[sink->index].best_effort) {
    file.report.error(
        DiagnosticCode::K0603, target.span,
        fmt::format("the dead letters go to `{}`, which is best-effort: they could be "
                    "lost",
                    target.text),
        "send them to a sink without `deliver: best_effort`", {{sink->span, "defined here"}});
    return std::nullopt;
  }
  return ErrorPolicy{.action = ErrorPolicy::Action::Sink, .sink = sink->index};
}

Place place_of(const FileDefinitions& file, Span span) {
  const Position place = file.file.source->position(span.begin);
  return {.file = file.file.source->path(), .line = place.line, .column = place.column};
}

std::string path_from(const std::string& directory, const std::string& path) {
  const std::filesystem::path written(path);
  return written.is_absolute() || directory.empty()
             ? path
             : (std::filesystem::path(directory) / written).string();
}

std::string path_to_read(Program& program, const FileDefinitions& file, const std::string& path) {
  std::string whole = path_from(file.directory, path);
  program.paths.insert(whole);
  return whole;
}

}  // namespace kaspar::dsl
