// Numbers that simdjson cannot hold.
#pragma once

#include <string>
#include <string_view>

namespace kaspar::nodes::json {

/// simdjson refuses a document with a number outside of 64 bits, wherever it stands. This writes
/// the same document to `out` with integers beyond 64 bits as the nearest f64, and an empty object
/// in place of a number that no f64 holds, which is none of what a column takes. Text that is no
/// number, as JSON writes it, is left as it is. False: there is no such number.
[[nodiscard]] bool within_range(std::string_view text, std::string& out);

}  // namespace kaspar::nodes::json
