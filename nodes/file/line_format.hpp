// How a record looks as a line of text.
#pragma once

#include <string>

#include "runtime/core/batch.hpp"

namespace kaspar::nodes::file {

/// Appends the record's line with its LF: the value; `key = … value = …` with `show_key`; an error
/// row as a JSON object `{raw, key, stage, code, message, topic, partition, offset}`, where bytes
/// that are not UTF-8 are `base64:…` and what is absent is null.
void append_line(std::string& out, const OutputRecord& record, bool show_key);

}  // namespace kaspar::nodes::file
