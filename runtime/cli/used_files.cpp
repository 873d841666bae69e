#include "runtime/cli/used_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <utility>

#include "dsl/parse/parse.hpp"

namespace kaspar::cli {
namespace {

std::string whole_path(const std::filesystem::path& path) {
  std::error_code failed;
  const auto whole = std::filesystem::weakly_canonical(path, failed);
  return failed ? path.string() : whole.string();
}

void add_used(const std::string& file, std::set<std::string>& used) {
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const dsl::TokenBuffer tokens =
      dsl::lex(std::make_shared<const dsl::SourceBuffer>(file, std::move(text)));
  dsl::Diagnostics told_already;
  for (const dsl::ast::Item& item : dsl::parse(tokens, told_already).items) {
    const auto* use = std::get_if<dsl::ast::Use>(&item.data);
    if (use == nullptr || !use->file) continue;
    if (const auto* path = std::get_if<dsl::StringLiteral>(&use->file->literal)) {
      used.insert(whole_path(std::filesystem::path(file).parent_path() / path->text()));
    }
  }
}

bool runs_nothing(const dsl::Compiled& compiled) {
  return std::ranges::count(compiled.diagnostics.entries(), DiagnosticCode::K0505,
                            &dsl::Diagnostic::code) != 0;
}

}  // namespace

void accept_used_files(std::vector<CompiledFile>& files) {
  const auto idle = [](const CompiledFile& file) { return runs_nothing(file.compiled); };
  if (files.size() < 2 || std::ranges::none_of(files, idle)) return;
  std::set<std::string> used;
  for (const CompiledFile& file : files) {
    if (!file.compiled.unreadable) add_used(file.file, used);
  }
  for (CompiledFile& file : files) {
    if (!idle(file) || !used.contains(whole_path(file.file))) continue;
    file.compiled.diagnostics.remove_if([](const dsl::Diagnostic& entry) {
      return entry.code == DiagnosticCode::K0505 || entry.code == DiagnosticCode::K0501;
    });
  }
}

}  // namespace kaspar::cli
