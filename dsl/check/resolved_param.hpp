// A parameter with the value that it has in this compilation.
#pragma once

#include <string>

#include "runtime/core/type.hpp"

namespace kaspar::dsl {

struct ResolvedParam {
  std::string name;
  Type type;
  std::string value;    // as `to_string` gives it
  std::string origin;   // "default", "command line", "environment variable X", "kaspar.toml:7"
  bool secret = false;  // never to be printed
};

}  // namespace kaspar::dsl
