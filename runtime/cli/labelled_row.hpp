// A row of an evaluation file: the record as the pipeline gets it, then the true label.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kaspar::cli {

struct LabelledRow {
  std::string_view record;  // a view into the line, without the last column
  std::string label;        // unquoted
};

/// Splits a line at its last comma outside quotes (RFC 4180), or at its last comma where a quote
/// is never closed: such a record is the pipeline's to refuse. A carriage return at the end is
/// dropped. Nothing where there is no comma or no label.
[[nodiscard]] std::optional<LabelledRow> split_label(std::string_view line);

}  // namespace kaspar::cli
