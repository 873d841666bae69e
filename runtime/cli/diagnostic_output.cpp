#include "runtime/cli/diagnostic_output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <utility>

#include "dsl/diag/finding.hpp"

namespace kaspar::cli {
namespace {

constexpr std::array<std::pair<std::string_view, OutputFormat>, 5> formats_by_name{{
    {"human", OutputFormat::Human},
    {"json", OutputFormat::Json},
    {"sarif", OutputFormat::Sarif},
    {"github", OutputFormat::Github},
    {"junit", OutputFormat::Junit},
}};

}  // namespace

OutputFormat OutputOptions::kind() const {
  for (const auto& [name, kind] : formats_by_name) {
    if (name == format) return kind;
  }
  return OutputFormat::Human;
}

bool OutputOptions::coloured(int descriptor) const {
  if (colour != "auto") return colour == "always";
  const char* refused = std::getenv("NO_COLOR");
  return ::isatty(descriptor) == 1 && (refused == nullptr || *refused == '\0');
}

void add_output_options(CLI::App& command, OutputOptions& options,
                        const std::vector<std::string>& formats) {
  command
      .add_option("--output", options.format,
                  fmt::format("how to tell it: {}", fmt::join(formats, ", ")))
      ->check(CLI::IsMember(formats))
      ->type_name("FORMAT");
  command.add_option("--color", options.colour, "colours: auto (on a terminal), always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->type_name("WHEN");
}

std::string diagnostics_document(OutputFormat format, const dsl::Diagnostics& diagnostics,
                                 const std::vector<std::string>& unreadable) {
  switch (format) {
    case OutputFormat::Json:
      return dsl::render_json(diagnostics, unreadable.empty());
    case OutputFormat::Sarif:
      return dsl::render_sarif(dsl::findings_of(diagnostics), KASPAR_VERSION, unreadable);
    case OutputFormat::Github:
      return dsl::render_github(dsl::findings_of(diagnostics));
    case OutputFormat::Human:
    case OutputFormat::Junit:
      break;
  }
  return {};
}

}  // namespace kaspar::cli
