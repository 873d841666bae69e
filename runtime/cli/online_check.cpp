#include "runtime/cli/online_check.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nodes/kafka/online_check.hpp"
#include "runtime/core/event_log.hpp"

namespace kaspar::cli {
namespace {

using nodes::kafka::OnlineIssue;
using nodes::kafka::TopicUse;

/// What matters is in the diagnostics.
class NoLog final : public EventLog {
 public:
  void write(LogLevel, std::string_view, std::string_view,
             std::initializer_list<LogField>) noexcept override {}
};

/// What one cluster is asked, and for whom.
struct Questions {
  std::vector<TopicUse> uses;
  std::vector<const dsl::EndpointText*> texts;
};

void collect(const std::vector<EndpointPlan>& endpoints,
             const std::vector<dsl::EndpointText>& texts,
             std::map<std::string, Questions>& clusters) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const EndpointPlan& endpoint = endpoints[i];
    if (endpoint.node->name != "kafka") continue;
    Questions& questions = clusters[string_param(endpoint.params, "cluster")];
    questions.uses.push_back({.topic = string_param(endpoint.params, "topic"),
                              .group = string_param(endpoint.params, "group"),
                              .create = nodes::kafka::topic_creation(endpoint.params)});
    questions.texts.push_back(&texts[i]);
  }
}

}  // namespace

void check_online(dsl::Compiled& compiled, const RunSettings& settings) {
  std::map<std::string, Questions> clusters;
  collect(compiled.plan->sources, compiled.source_texts, clusters);
  collect(compiled.plan->sinks, compiled.sink_texts, clusters);
  NoLog log;
  for (const auto& [name, questions] : clusters) {
    const KafkaSettings* cluster = settings.cluster(name);
    if (cluster == nullptr) continue;  // reported by the checker
    for (OnlineIssue& issue : nodes::kafka::check_online(questions.uses, *cluster, log)) {
      const dsl::EndpointText& text = *questions.texts[issue.use];
      compiled.diagnostics.add({.code = DiagnosticCode::K0604,
                                .source = text.source,
                                .span = text.place_of(issue.option),
                                .message = std::move(issue.message),
                                .help = std::move(issue.help)});
    }
  }
  compiled.diagnostics.sort();
}

}  // namespace kaspar::cli
