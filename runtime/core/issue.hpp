// What can go wrong, as data: an Issue is a user's mistake that `check` reports with a place,
// a Failure ends a run.
#pragma once

#include <cstddef>
#include <expected>
#include <string>
#include <vector>

#include "runtime/core/diagnostic_code.hpp"

namespace kaspar {

/// Which part of a stage, endpoint or model an issue is about; the checker knows where it stands.
struct IssuePlace {
  enum class Part {
    Node,     // the stage's word, the endpoint's kind
    Operand,  // the operand number `index`
    Param,    // the value of the option `name`; `name` may be `T.key` of a table, or `T.key:`
    File,     // the path given
    Schema,   // the schema named after `as`
  };
  Part part = Part::Node;
  std::size_t index = 0;
  std::string name;
};

/// Wording follows the diagnostics' style: lower-case, no full stop, code in backticks.
struct Issue {
  DiagnosticCode code = DiagnosticCode::K0302;
  IssuePlace place;
  std::string message;
  std::string label;  // beside the caret; may be empty
  std::vector<std::string> notes;
  std::string help;  // a way out; may be empty
};

/// Exit statuses of every command.
enum class ExitStatus : int {
  Fine = 0,
  Problems = 1,  // found in the input
  Usage = 2,     // usage, or a named file that cannot be opened at the start
  Failed = 3,    // broker, missing topic, I/O, `fail` policy, not drained in time
  Bug = 101,
};

/// Why a run cannot start or go on.
struct Failure {
  ExitStatus status = ExitStatus::Failed;
  std::string message;
  std::string help;  // a way out; may be empty
};

}  // namespace kaspar
