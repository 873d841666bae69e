// Any bytes as a profile: what is accepted is within its bounds, and nothing that is said of it
// shows what the environment holds, or what stands where a secret may stand.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "dsl/profile/profile.hpp"
#include "nodes/register_nodes.hpp"

namespace {

using namespace kaspar;

// Long and odd: the fuzzer finds it nevertheless, by tracing comparisons; see below.
constexpr std::string_view secret = "\x01what-the-environment-holds\x02";

void require(bool holds) {
  if (!holds) std::abort();
}

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry made;
    nodes::register_all(made);
    return made;
  }();
  return filled;
}

void check_output(const dsl::Diagnostics& diagnostics) {
  const std::string human = dsl::render_human(diagnostics, true);
  const std::string json = dsl::render_json(diagnostics, true);
  require(diagnostics.entries().empty() == human.empty());
  for (const std::string& text : {human, json}) {
    require(text.find("what-the-environment-holds") == std::string::npos);
  }
  for (const dsl::Diagnostic& diagnostic : diagnostics.entries()) {
    require(!diagnostic.message.empty());
    require(diagnostic.span.begin <= diagnostic.span.end);
    require(diagnostic.span.end <= diagnostic.source->text().size());
  }
}

void check_values(const dsl::Profile& profile, std::size_t lines) {
  const RunSettings& settings = profile.settings;
  require(settings.threads <= 1024);
  require(settings.memory_budget >= 16u << 20);
  require(settings.commit_interval.count() >= 0);
  require(settings.shutdown_deadline.count() >= 0);
  require(!settings.kafka.brokers.empty());
  for (const auto& [name, cluster] : settings.clusters) require(!cluster.brokers.empty());
  for (const auto& [name, given] : profile.given) require(given.line >= 1 && given.line <= lines);
  for (const dsl::OutsideValue& param : profile.params) {
    require(param.source != nullptr);
    const auto* text = param.value.get<std::string>();
    require(text == nullptr || text->find(secret) == std::string::npos || param.secret);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  if (bytes.contains("what-the-environment-holds")) return 0;  // the input's own, not a secret
  auto source = std::make_shared<const dsl::SourceBuffer>(
      "kaspar.toml", std::string(reinterpret_cast<const char*>(data), size));
  const dsl::Environment environment = [](const std::string& name) -> std::optional<std::string> {
    if (name.starts_with("UNSET")) return std::nullopt;
    return std::string{secret};
  };
  dsl::Diagnostics diagnostics;
  const dsl::Profile profile = dsl::read_profile(source, {}, registry(), environment, diagnostics);
  diagnostics.sort();
  check_output(diagnostics);
  const auto lines = source->position(static_cast<std::uint32_t>(source->text().size())).line;
  if (!diagnostics.has_errors()) check_values(profile, lines);
  return 0;
}
