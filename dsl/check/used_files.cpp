#include "dsl/check/used_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <utility>

#include "dsl/lex/secrets.hpp"
#include "dsl/parse/parse.hpp"

namespace kaspar::dsl {
namespace {

constexpr std::size_t most_files = 256;
constexpr std::size_t deepest_use = 32;
constexpr std::uintmax_t largest_used_file = 1u << 20;

class UsedFiles {
 public:
  explicit UsedFiles(Program& program) : program_(program) {}

  void run() {
    FileDefinitions& main = *program_.files.front();
    path_.push_back(canonical(main.file.source->path()));
    known_[path_.back()] = 0;
    load(main);
  }

 private:
  static std::string canonical(const std::string& path) {
    std::error_code failed;
    const auto whole = std::filesystem::weakly_canonical(path, failed);
    return failed ? path : whole.string();
  }

  void load(FileDefinitions& file) {
    for (const ast::Item& item : file.file.items) {
      const auto* use = std::get_if<ast::Use>(&item.data);
      if (use == nullptr) continue;
      if (use->name.empty()) file.nameless_use = true;
      std::optional<std::size_t> index;
      if (use->file && use->file->kind == ast::Node::Kind::String) index = open(file, *use);
      file.enter(use->name, {.kind = Definition::Kind::Used,
                             .index = index.value_or(0),
                             .damaged = item.damaged || !index});
    }
  }

  std::optional<std::size_t> open(FileDefinitions& from, const ast::Use& use) {
    const auto& literal = std::get<StringLiteral>(use.file->literal);
    const auto refuse = [&](std::string message, std::string help = {}) {
      from.report.error(DiagnosticCode::K0203, use.file->span, std::move(message), std::move(help));
      return std::nullopt;
    };
    if (!literal.constant()) {
      from.report.error(DiagnosticCode::K0103, use.file->span,
                        "no parameter is put into the path of a `use`",
                        "write `\\$` for the sign itself");
      return std::nullopt;
    }
    const std::string path = path_to_read(program_, from, literal.text());
    const std::string whole = canonical(path);
    if (std::ranges::find(path_, whole) != path_.end()) {
      return refuse(path_.back() == whole
                        ? fmt::format("the file `{}` uses itself", path)
                        : fmt::format("the file `{}` uses this one in turn", path),
                    "move what both need into a third file");
    }
    if (const auto known = known_.find(whole); known != known_.end()) return known->second;
    if (path_.size() > deepest_use || known_.size() >= most_files) {
      return refuse(
          fmt::format("a program is made of at most {} files, {} deep", most_files, deepest_use));
    }
    std::error_code failed;
    if (!std::filesystem::is_regular_file(path, failed)) {
      return refuse(fmt::format("no file `{}` to use", path),
                    "paths are relative to the file that uses them");
    }
    if (std::filesystem::file_size(path, failed) > largest_used_file) {
      return refuse(fmt::format("the file `{}` is larger than 1 MiB", path));
    }
    std::ifstream stream(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
    if (!stream) return refuse(fmt::format("the file `{}` cannot be read", path));
    const TokenBuffer tokens = lex(std::make_shared<const SourceBuffer>(path, std::move(text)));
    for (const Span secret : secret_values(tokens)) {
      program_.diagnostics.hide(*tokens.source, secret);
    }
    const std::size_t index = program_.files.size();
    known_[whole] = index;
    program_.files.push_back(std::make_unique<FileDefinitions>(parse(tokens, program_.diagnostics),
                                                               program_.diagnostics));
    path_.push_back(whole);
    load(*program_.files[index]);
    path_.pop_back();
    return index;
  }

  Program& program_;
  std::vector<std::string> path_;             // of files at work, the outermost first
  std::map<std::string, std::size_t> known_;  // by canonical path
};

}  // namespace

void load_used_files(Program& program) { UsedFiles(program).run(); }

}  // namespace kaspar::dsl
