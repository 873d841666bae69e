// kaspar explain: the long text of a code.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cctype>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/diag/explanation.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/failure_text.hpp"

namespace kaspar::cli {
namespace {

constexpr std::array codes{
#define KASPAR_DIAGNOSTIC(code, title) DiagnosticCode::code,
#include "runtime/core/diagnostic_code.def"
#undef KASPAR_DIAGNOSTIC
};

/// Markdown as a terminal shows it: examples are indented, their fences gone.
std::string plain(std::string_view markdown) {
  std::string out;
  bool example = false;
  while (!markdown.empty()) {
    const std::size_t end = markdown.find('\n');
    const std::string_view line = markdown.substr(0, end);
    markdown.remove_prefix(end == markdown.npos ? markdown.size() : end + 1);
    if (line.starts_with("```")) {
      example = !example;
      continue;
    }
    if (example && !line.empty()) out += "    ";
    out += line;
    out += '\n';
  }
  return out;
}

ExitStatus explain(const std::string& given) {
  if (given.empty()) {
    for (const DiagnosticCode code : codes) fmt::print("{}  {}\n", name_of(code), title_of(code));
    return ExitStatus::Fine;
  }
  std::string name = given;
  for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::vector<std::string_view> names;
  for (const DiagnosticCode code : codes) {
    names.push_back(name_of(code));
    if (name_of(code) != name) continue;
    fmt::print("{}: {}\n\n{}", name, title_of(code), plain(dsl::explanation_of(code)));
    return ExitStatus::Fine;
  }
  const std::string_view meant = dsl::did_you_mean(name, names);
  return tell({.status = ExitStatus::Usage,
               .message = fmt::format("there is no code `{}`", dsl::shown_on_terminal(given)),
               .help = meant.empty() ? "`kaspar explain` lists all codes"
                                     : fmt::format("did you mean `{}`?", meant)});
}

}  // namespace

void add_explain(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand("explain", "Tell what a code means, and the way out");
  auto code = std::make_shared<std::string>();
  command->add_option("CODE", *code, "such as K0201; without it, all codes are listed");
  command->callback([code, &action] { action = [code] { return explain(*code); }; });
}

}  // namespace kaspar::cli
