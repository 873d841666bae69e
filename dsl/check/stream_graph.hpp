// The chains of a file as a graph: which reads which, in what order they are checked, and what
// follows for the whole: what never reaches a sink, what is best-effort.
#pragma once

#include <vector>

#include "dsl/check/chain_checker.hpp"
#include "dsl/check/definitions.hpp"

namespace kaspar::dsl {

/// Checks every chain of the program's own file, each after those that it reads, and puts those
/// that reach a sink into the plan. Reports cycles (K0504), rows that nothing takes (K0501 of a
/// route's arm, K0601).
void check_chains(Program& program, const ErrorHandling& on_error);

}  // namespace kaspar::dsl
