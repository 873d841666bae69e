// One chain: its inputs, its stages, and the columns between them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dsl/check/definitions.hpp"
#include "dsl/check/expressions.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

/// What the rows of a chain are at its end, for the chains that read them.
struct ChainEnd {
  Scope scope;
  bool header = false;  // every source of them names its columns in a header
};

/// A chain as checked. `plan` is of use only if the whole program is sound.
struct CheckedChain {
  const ast::Chain* written = nullptr;
  ChainPlan plan;
  ChainEnd end;
  /// Stages whose rows can fail while nothing says where they go: their words.
  std::vector<ast::Name> unhandled;
  bool damaged = false;
};

/// Where the rows of one of its inputs come from.
struct CheckedInput {
  ChainInput plan;                // without columns
  const ChainEnd* end = nullptr;  // of the chain it reads; nullptr for a source
  bool header = false;
  bool unknown = false;  // wrong, or hangs on something damaged: so is what it brings
};

struct ErrorHandling {
  bool given = false;  // the file has an `on error`, maybe a damaged one
  std::optional<ErrorPolicy> policy;
};

/// `inputs` as in the chain. Reports what is wrong with its stages and with how its inputs fit.
[[nodiscard]] CheckedChain check_chain(const ast::Chain& chain, bool damaged,
                                       const std::vector<CheckedInput>& inputs,
                                       const ErrorHandling& on_error, Program& program,
                                       FileDefinitions& file);

}  // namespace kaspar::dsl
