// `test` items: the names, options and files of their steps.
#pragma once

#include <string>

#include "dsl/check/chain_checker.hpp"

namespace kaspar::dsl {

void check_test(const ast::Test& test, const Definitions& definitions, const std::string& directory,
                Report& report);

}  // namespace kaspar::dsl
