// A TOML file with the places of its keys and values.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "dsl/diag/diagnostic.hpp"

namespace kaspar::dsl {

/// Reports into the diagnostics of the file.
class ProfileDocument {
 public:
  ProfileDocument(std::shared_ptr<const SourceBuffer> source, Diagnostics& diagnostics);

  /// The whole document; empty where it is no TOML (reported as K0702).
  [[nodiscard]] toml::table parse();

  [[nodiscard]] Span span_of(const toml::source_region& region) const;
  [[nodiscard]] Span span_of(const toml::key& key) const { return span_of(key.source()); }
  [[nodiscard]] Span span_of(const toml::node& node) const { return span_of(node.source()); }

  void error(DiagnosticCode code, Span span, std::string message, std::string help = {});
  /// K0702, with a suggestion where one is right.
  void unknown_key(Span span, std::string_view key, std::string_view of,
                   const std::vector<std::string_view>& known);
  /// What stands there is not shown.
  void hide(Span span) { diagnostics_.hide(*source_, span); }

  [[nodiscard]] const std::shared_ptr<const SourceBuffer>& source() const { return source_; }

 private:
  [[nodiscard]] std::uint32_t offset_of(const toml::source_position& position) const;

  std::shared_ptr<const SourceBuffer> source_;
  Diagnostics& diagnostics_;
  std::vector<std::uint32_t> line_begins_;
};

}  // namespace kaspar::dsl
