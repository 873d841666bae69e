// `use` items: the files that a program is made of.
#pragma once

#include "dsl/check/definitions.hpp"

namespace kaspar::dsl {

/// Reads every file that the program's own file uses, and those they use, once each, and enters
/// their names as `use` says. One that cannot be read, or that uses itself in the end, is K0203 at
/// its path. Their items are not looked at yet.
void load_used_files(Program& program);

}  // namespace kaspar::dsl
