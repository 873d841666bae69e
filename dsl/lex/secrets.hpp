// Secrets do not belong into pipeline files, and are not printed where they stand in one.
#pragma once

#include <string_view>
#include <vector>

#include "dsl/lex/token_buffer.hpp"

namespace kaspar::dsl {

/// Whether the option of that name takes a secret.
[[nodiscard]] bool is_secret(std::string_view option);

/// Where the values of such options stand, in text that need not be a valid file.
[[nodiscard]] std::vector<Span> secret_values(const TokenBuffer& tokens);

}  // namespace kaspar::dsl
