#include "runtime/cli/failure_text.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace kaspar::cli {

ExitStatus tell(const Failure& failure) {
  fmt::print(stderr, "error: {}\n", failure.message);
  if (!failure.help.empty()) fmt::print(stderr, "help: {}\n", failure.help);
  return failure.status;
}

}  // namespace kaspar::cli
