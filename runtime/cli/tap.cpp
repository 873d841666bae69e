// kaspar tap: a sample of a stream of a running pipeline.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/cli/profile_options.hpp"
#include "runtime/cli/run_observation.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/observe/http_client.hpp"

namespace kaspar::cli {
namespace {

struct TapOptions {
  ProfileOptions profile;
  std::string file;
  std::string stream;
  std::string address;
  std::optional<std::uint64_t> limit;
};

ExitStatus tap(const TapOptions& options) {
  std::atomic<bool> stopped{false};
  const SignalWatch signals{[&stopped] { stopped = true; }};
  NodeRegistry registry;
  nodes::register_all(registry);
  auto program = compile_configured(options.file, registry, {}, options.profile);
  if (!program) return tell(program.error());
  const dsl::Compiled& compiled = program->compiled;
  if (compiled.unreadable) {
    return tell({.status = ExitStatus::Usage, .message = *compiled.unreadable});
  }
  fmt::print(stderr, "{}",
             dsl::render_human(compiled.diagnostics, OutputOptions{}.coloured(STDERR_FILENO)));
  if (!compiled.plan) return ExitStatus::Problems;
  if (!tap_point(*compiled.plan, options.stream)) {
    const std::vector<std::string> names = tap_names(*compiled.plan);
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const std::string_view meant = dsl::did_you_mean(options.stream, candidates);
    std::string known;
    for (const std::string& name : names)
      known += fmt::format("{}`{}`", known.empty() ? "" : ", ", name);
    return tell(
        {.status = ExitStatus::Usage,
         .message = fmt::format("the file has no stream or source `{}`", options.stream),
         .help = meant.empty() ? "it has " + known : fmt::format("did you mean `{}`?", meant)});
  }
  const std::string address =
      options.address.empty() ? program->loaded.settings.http.listen : options.address;
  std::uint64_t left = options.limit.value_or(UINT64_MAX);
  bool written = true;
  std::string rest;  // of a line
  const auto print = [&](std::string_view piece) {
    rest += piece;
    std::size_t begin = 0;
    for (std::size_t end = 0; left != 0 && (end = rest.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      const std::size_t size = end + 1 - begin;
      written = written && std::fwrite(rest.data() + begin, 1, size, stdout) == size;
      --left;
    }
    rest.erase(0, begin);
    written = written && std::fflush(stdout) == 0;
    return written && left != 0;
  };
  const auto answer = observe::http_get(
      address, "/api/tap?stream=" + observe::query_encoded(options.stream), print, stopped);
  if (stopped) return ExitStatus::Fine;
  if (!answer) return tell(answer.error());
  if (!written) return tell({.message = "standard output cannot be written"});
  if (answer->status == 403) {
    return tell({.message = "the running pipeline lets nobody look at its records",
                 .help = "say `tap = true` below `[http]` in its profile, and start it again"});
  }
  if (answer->status != 200) {
    return tell(
        {.message = fmt::format("the pipeline at http://{} answers {}: {}", address, answer->status,
                                answer->body.substr(0, answer->body.find('\n'))),
         .help = "is it the same file that runs there?"});
  }
  return ExitStatus::Fine;
}

}  // namespace

void add_tap(CLI::App& app, Action& action) {
  CLI::App* command =
      app.add_subcommand("tap", "Print a sample of a stream of a running pipeline, as JSON lines");
  auto options = std::make_shared<TapOptions>();
  command->add_option("FILE", options->file, "pipeline file")->required();
  command->add_option("STREAM", options->stream, "a stream of the file, or a source")->required();
  command->add_option("--address", options->address,
                      "HOST:PORT of the running process; default: `listen` below `[http]`");
  command->add_option("--limit", options->limit, "stop after so many rows");
  add_profile_options(*command, options->profile, false);
  command->callback([options, &action] { action = [options] { return tap(*options); }; });
}

}  // namespace kaspar::cli
