// Checks many damaged pipeline files in one process: mutation [--count N] [--seed N] [--first N]
// [--keep N FOLDER] FILE…
//
// Each must become a plan or errors whose places are in the text, within two seconds, and the JSON
// about them must be JSON. A child does the work and says in shared memory where it is; the parent
// tells which mutant a crash or a hang was about and keeps it. --keep writes the first N mutants
// into FOLDER instead.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <simdjson.h>
#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "dsl/diag/finding.hpp"
#include "dsl/plan/compile.hpp"
#include "nodes/register_nodes.hpp"
#include "test/mutation/mutator.hpp"

namespace {

using namespace kaspar;

constexpr std::chrono::milliseconds longest_check{2000};

struct Options {
  std::uint64_t count = 500;
  std::uint64_t seed = 1;
  std::uint64_t first = 0;
  std::string keep;
  std::vector<std::string> files;
};

/// What the child shares with its parent.
struct Progress {
  std::atomic<std::uint64_t> at;
  std::atomic<std::uint64_t> sound;
};

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

void inspect(const dsl::Compiled& compiled) {
  require(!compiled.unreadable && !compiled.replacement, "a text cannot be unreadable");
  require(compiled.plan.has_value() != compiled.diagnostics.has_errors(),
          "a plan and errors, or neither");
  for (const dsl::Diagnostic& entry : compiled.diagnostics.entries()) {
    require(!entry.message.empty() && entry.source != nullptr, "a diagnostic of nothing");
    const std::size_t size = entry.source->text().size();
    const auto inside = [&](dsl::Span span) { return span.begin <= span.end && span.end <= size; };
    require(inside(entry.span), "a place outside the file");
    for (const dsl::RelatedSpan& other : entry.related)
      require(inside(other.span), "a related place outside the file");
    for (const dsl::Fix& fix : entry.fixes) require(inside(fix.span), "a fix outside the file");
  }
  (void)dsl::render_human(compiled.diagnostics, true);
  const simdjson::padded_string json(dsl::render_json(compiled.diagnostics));
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  require(parser.parse(json).get(document) == simdjson::SUCCESS, "what is printed is no JSON");
  simdjson::dom::array diagnostics;
  require(document["diagnostics"].get(diagnostics) == simdjson::SUCCESS &&
              diagnostics.size() == compiled.diagnostics.entries().size(),
          "the JSON tells of others");
}

void work(const Options& options, const mutation::Mutator& mutator, Progress& progress) {
  NodeRegistry registry;
  nodes::register_all(registry);
  for (std::uint64_t i = 0; i < options.count; ++i) {
    progress.at = i;
    mutation::Mutant mutant = mutator.make(options.seed, options.first + i);
    const dsl::Compiled compiled =
        dsl::compile_text(mutant.path, std::move(mutant.text), registry, {});
    inspect(compiled);
    if (compiled.plan) ++progress.sound;
  }
}

/// Ends the child when one mutant takes too long; its exit status.
int watch(pid_t child, const Progress& progress, bool& hangs) {
  int status = 0;
  std::uint64_t seen = 0;
  auto since = std::chrono::steady_clock::now();
  while (waitpid(child, &status, WNOHANG) == 0) {
    const auto now = std::chrono::steady_clock::now();
    if (progress.at != seen) {
      seen = progress.at;
      since = now;
    } else if (now - since > longest_check) {
      hangs = true;
      kill(child, SIGKILL);
      waitpid(child, &status, 0);
      return status;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return status;
}

int run(const Options& options) {
  std::vector<mutation::Original> originals;
  for (const std::string& file : options.files) originals.push_back(mutation::read_original(file));
  const mutation::Mutator mutator(std::move(originals));
  if (!options.keep.empty()) {
    for (std::uint64_t i = 0; i < options.count; ++i) {
      const auto name = std::filesystem::path(options.keep) / fmt::format("mutant-{}.pipe", i);
      std::ofstream(name, std::ios::binary) << mutator.make(options.seed, options.first + i).text;
    }
    return 0;
  }
  void* shared =
      mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) throw std::runtime_error("no shared memory");
  auto& progress = *new (shared) Progress{};
  const auto start = std::chrono::steady_clock::now();
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("no child process");
  if (child == 0) {
    try {
      work(options, mutator, progress);
    } catch (const std::exception& error) {
      fmt::print(stderr, "{}\n", error.what());
      std::_Exit(1);
    }
    std::_Exit(0);
  }
  bool hangs = false;
  const int status = watch(child, progress, hangs);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    fmt::print("{} mutants of {} files, seed {}: {} sound, the others refused, in {:.1f} s\n",
               options.count, options.files.size(), options.seed, progress.sound.load(),
               seconds.count());
    return 0;
  }
  const std::uint64_t number = options.first + progress.at;
  const mutation::Mutant mutant = mutator.make(options.seed, number);
  std::ofstream("failing-mutant.pipe", std::ios::binary) << mutant.text;
  fmt::print(stderr,
             "{} on the mutant {} of seed {}, of {}: {}\nkept as failing-mutant.pipe; again: "
             "--seed {} --first {} --count 1\n",
             hangs                 ? "hangs"
             : WIFSIGNALED(status) ? "crashes"
                                   : "fails",
             number, options.seed, mutant.path, mutant.history, options.seed, number);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Checks damaged pipeline files");
  app.add_option("--count", options.count, "mutants");
  app.add_option("--seed", options.seed, "what they are drawn by");
  app.add_option("--first", options.first, "the number of the first one");
  app.add_option("--keep", options.keep, "write them into this folder, check nothing");
  app.add_option("FILE", options.files, "valid files")->required();
  CLI11_PARSE(app, argc, argv);
  try {
    return run(options);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  }
}
