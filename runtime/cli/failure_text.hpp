// How a command tells a failure on standard error.
#pragma once

#include "runtime/core/issue.hpp"

namespace kaspar::cli {

/// "error: MESSAGE" and, where there is one, "help: WAY OUT". Returns the failure's exit status.
ExitStatus tell(const Failure& failure);

}  // namespace kaspar::cli
