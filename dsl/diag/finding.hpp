// What tools that read findings of many programs understand: SARIF, and GitHub's annotations.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {

/// Lines and columns count from 1, columns in code points; the end is exclusive. An `end_line` of
/// 0: only the start is known.
struct Region {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  std::uint32_t end_line = 0;
  std::uint32_t end_column = 0;
};

struct FindingPlace {
  std::string file;
  Region region;
  std::string text;  // what stands there, or has to do with it; may be empty
};

struct FindingFix {
  FindingPlace place;  // `text`: what the edit does
  std::string replacement;
};

/// A diagnostic, or a test that failed.
struct Finding {
  std::string rule;        // "K0201"
  std::string rule_title;  // "unknown name"
  std::string rule_text;   // Markdown: what it means; may be empty
  bool error = true;       // else a warning
  std::string message;     // with notes and help, a line each
  FindingPlace place;
  std::vector<FindingPlace> related;
  std::vector<FindingFix> fixes;
};

[[nodiscard]] std::vector<Finding> findings_of(const Diagnostics& diagnostics);

/// A SARIF 2.1.0 log (OASIS standard) of one run. `unreadable`: why files could not be read.
[[nodiscard]] std::string render_sarif(std::span<const Finding> findings, std::string_view version,
                                       std::span<const std::string> unreadable = {});

/// GitHub's workflow commands: `::error file=…,line=…,…::…`, a line each.
[[nodiscard]] std::string render_github(std::span<const Finding> findings);

}  // namespace kaspar::dsl
