#include "runtime/cli/dump.hpp"

#include <fstream>
#include <iterator>
#include <memory>
#include <utility>

#include "dsl/check/print_typed.hpp"
#include "dsl/lex/secrets.hpp"
#include "dsl/parse/parse.hpp"
#include "dsl/parse/print_ast.hpp"
#include "dsl/plan/print_plan.hpp"

namespace kaspar::cli {

std::string dump_of(const std::string& phase, const std::string& file,
                    const dsl::Compiled& compiled) {
  if (phase == "typed") return compiled.plan ? dsl::print_typed(*compiled.plan) : std::string{};
  if (phase == "plan") return compiled.plan ? dsl::print_plan(*compiled.plan) : std::string{};
  std::ifstream stream(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(stream), {}};
  const dsl::TokenBuffer tokens =
      dsl::lex(std::make_shared<const dsl::SourceBuffer>(file, std::move(text)));
  if (phase == "tokens") return dsl::print_tokens(tokens);
  dsl::Diagnostics told_already;
  return dsl::print_ast(dsl::parse(tokens, told_already), dsl::secret_values(tokens));
}

}  // namespace kaspar::cli
