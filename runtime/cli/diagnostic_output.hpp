// How `check` and `test` tell what they found: `--output` and `--color`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/diag/diagnostic.hpp"

namespace CLI {
class App;
}

namespace kaspar::cli {

enum class OutputFormat : std::uint8_t { Human, Json, Sarif, Github, Junit };

struct OutputOptions {
  std::string format = "human";
  std::string colour = "auto";

  [[nodiscard]] OutputFormat kind() const;
  /// Whether what goes to `descriptor` (standard output: 1) is coloured: by `--color`, else only on
  /// a terminal where NO_COLOR is not set (https://no-color.org).
  [[nodiscard]] bool coloured(int descriptor) const;
};

/// Adds `--output`, one of `formats`, and `--color`. The options outlive the application.
void add_output_options(CLI::App& command, OutputOptions& options,
                        const std::vector<std::string>& formats);

/// What the whole run found, as one document; empty for Human and Junit. `unreadable`: why files
/// could not be read.
[[nodiscard]] std::string diagnostics_document(OutputFormat format,
                                               const dsl::Diagnostics& diagnostics,
                                               const std::vector<std::string>& unreadable);

}  // namespace kaspar::cli
