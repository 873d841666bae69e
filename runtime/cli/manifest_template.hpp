// Text with places to fill in: `@name@`.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace kaspar::cli {

using TemplateValues = std::map<std::string, std::string, std::less<>>;

/// The text with the values in their places. One that stands alone on its line may have several
/// lines, each of which is indented as it is, or none. Throws std::logic_error where there is no
/// value of the name: what a template says is no user's mistake.
[[nodiscard]] std::string fill_template(std::string_view text, const TemplateValues& values);

struct ManifestTemplate {
  std::string_view path;  // below the folder of manifests
  std::string_view text;
};

/// Everything in runtime/cli/manifests/.
[[nodiscard]] std::span<const ManifestTemplate> manifest_templates() noexcept;

}  // namespace kaspar::cli
