// `schema` items.
#pragma once

#include "dsl/check/definitions.hpp"

namespace kaspar::dsl {

/// The schema as written, without the fields that are wrong; `fine` is false if there are such.
[[nodiscard]] SchemaDefinition check_schema(const ast::Schema& written, FileDefinitions& file,
                                            bool& fine);

}  // namespace kaspar::dsl
