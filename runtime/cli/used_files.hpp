// Files of a command line that others of them use.
#pragma once

#include <string>
#include <vector>

#include "dsl/plan/compile.hpp"

namespace kaspar::cli {

struct CompiledFile {
  std::string file;
  dsl::Compiled compiled;
};

/// Takes back that nothing runs in a file (K0505) and that what it defines is not used (K0501),
/// where another of the files uses it: `kaspar check *.pipe` finds no fault with what is shared.
void accept_used_files(std::vector<CompiledFile>& files);

}  // namespace kaspar::cli
