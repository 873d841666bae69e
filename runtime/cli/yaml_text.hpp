// How text is written in YAML.
#pragma once

#include <string>
#include <string_view>

namespace kaspar::cli {

/// In double quotes, escaped as JSON does, which YAML 1.2 reads alike. The text is UTF-8.
[[nodiscard]] std::string yaml_quoted(std::string_view text);

/// A member `key: text`, which is UTF-8, indented by so many spaces: as it stands, as a block,
/// where YAML keeps all of it; else in quotes.
[[nodiscard]] std::string yaml_text_member(std::string_view key, std::string_view text,
                                           std::size_t indent);

}  // namespace kaspar::cli
