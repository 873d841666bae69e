// `check --dump`: what a phase of the compiler made of a file.
#pragma once

#include <string>

#include "dsl/plan/compile.hpp"

namespace kaspar::cli {

/// `phase` is tokens, ast, typed or plan. The last two are empty where the file has errors; the
/// first two are what could be read.
[[nodiscard]] std::string dump_of(const std::string& phase, const std::string& file,
                                  const dsl::Compiled& compiled);

}  // namespace kaspar::cli
