// `test` items: the names, values and files of their steps.
#pragma once

#include "dsl/check/definitions.hpp"

namespace kaspar::dsl {

/// Adds the test to the plan. Reads the files that it names, of at most 64 MiB each.
void check_test(const ast::Item& item, const ast::Test& test, Program& program,
                FileDefinitions& file);

}  // namespace kaspar::dsl
