#include "runtime/cli/trace_text.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "nodes/kafka/single_record.hpp"
#include "runtime/core/column_text.hpp"
#include "runtime/observe/escaped_text.hpp"
#include "runtime/observe/json_writer.hpp"

namespace kaspar::cli {
namespace {

using Bytes = std::optional<std::string>;

constexpr std::size_t widest = 400;  // bytes of a value that people are shown

std::string json_of(const Bytes& bytes) {
  if (!bytes) return "null";
  std::string text;
  append_bytes_json(text, *bytes);
  return text;
}

/// Never cut within a character.
std::string shortened(std::string text) {
  if (text.size() <= widest) return text;
  std::size_t end = widest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} bytes)", text.substr(0, end), text.size());
}

std::string escaped(std::string_view text) {
  std::string out;
  observe::append_escaped(out, text, false);
  return out;
}

/// Where it goes: nothing where chance, or nobody asked, decides.
std::optional<std::int32_t> partition_of(const Plan& plan, const TracedOutput& output,
                                         const SinkPartitions& partitions) {
  const auto known = partitions.find(output.sink);
  if (known == partitions.end()) return std::nullopt;
  return nodes::kafka::partition_for(
      string_param(plan.sinks[output.sink].params, "partitioner", "murmur2"), output.key,
      known->second);
}

std::string place_of(const StagePlan& stage) {
  return fmt::format("{}:{}", stage.place.line, stage.place.column);
}

class Printer {
 public:
  explicit Printer(bool colour) : colour_(colour) {}

  void line(std::size_t indent, std::string_view text) {
    out_ += fmt::format("{:{}}{}\n", "", indent, text);
  }
  [[nodiscard]] std::string bold(std::string_view text) const { return painted("1", text); }
  [[nodiscard]] std::string red(std::string_view text) const { return painted("31", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return painted("2", text); }
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  [[nodiscard]] std::string painted(std::string_view code, std::string_view text) const {
    return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string{text};
  }

  bool colour_;
  std::string out_;
};

void print_stage(Printer& printer, const TracedStage& step) {
  const StagePlan& stage = *step.stage;
  printer.line(2, fmt::format("{} {}", printer.bold("|> " + escaped(stage.text)),
                              printer.dim(place_of(stage))));
  switch (step.outcome) {
    case TracedStage::Outcome::Failed:
      printer.line(
          7, printer.red(fmt::format("failed: {}: {}", name_of(step.code), escaped(step.message))));
      printer.line(7, fmt::format("the row goes: {}", step.policy));
      break;
    case TracedStage::Outcome::Filtered:
      printer.line(7, "filtered: the row ends here");
      break;
    case TracedStage::Outcome::Passed:
      if (!step.arm.empty()) printer.line(7, fmt::format("to {}", step.arm));
      for (const auto& [name, value] : step.columns) {
        printer.line(7, fmt::format("{} = {}", name, shortened(value)));
      }
      break;
  }
}

void print_output(Printer& printer, const Plan& plan, const TracedOutput& output,
                  const SinkPartitions& partitions) {
  const EndpointPlan& sink = plan.sinks[output.sink];
  std::string where = fmt::format("sink `{}`", sink.name);
  if (const std::string topic = string_param(sink.params, "topic"); !topic.empty()) {
    const auto partition = partition_of(plan, output, partitions);
    where += fmt::format(", topic `{}`, partition {}", topic,
                         partition                          ? std::to_string(*partition)
                         : partitions.contains(output.sink) ? "any"
                                                            : "not asked for");
  }
  printer.line(2, printer.bold((output.dead_letter ? "=> dead letter to the " : "=> ") + where));
  printer.line(7, "key = " + shortened(json_of(output.key)));
  printer.line(7, "value = " + shortened(json_of(output.value)));
  for (const auto& [name, value] : output.headers) {
    printer.line(7, fmt::format("header {} = {}", escaped(name), shortened(json_of(value))));
  }
}

void write_headers(observe::JsonWriter& json,
                   const std::vector<std::pair<std::string, Bytes>>& headers) {
  json.key("headers").begin_array();
  for (const auto& [name, value] : headers) {
    json.begin_object().field("name", name).key("value").raw(json_of(value)).end_object();
  }
  json.end_array();
}

}  // namespace

std::string trace_for_people(const Plan& plan, const TracedRecord& record,
                             const std::vector<TracedChain>& traced,
                             const SinkPartitions& partitions, bool colour) {
  Printer printer(colour);
  printer.line(0, printer.bold(record.offset < 0 ? std::string{"the row given"}
                                                 : fmt::format("{}:{}:{}", record.topic,
                                                               record.partition, record.offset)));
  printer.line(7, "key = " + shortened(json_of(record.key)));
  printer.line(7, "value = " + shortened(json_of(record.value)));
  for (const auto& [name, value] : record.headers) {
    printer.line(7, fmt::format("header {} = {}", escaped(name), shortened(json_of(value))));
  }
  if (traced.empty()) printer.line(0, "no chain reads it");
  for (const TracedChain& chain : traced) {
    printer.line(0, printer.bold(chain.from.empty() ? std::string{"then"}
                                                    : fmt::format("from {}", chain.from)));
    for (const TracedStage& step : chain.stages) print_stage(printer, step);
    for (const TracedOutput& output : chain.outputs) {
      print_output(printer, plan, output, partitions);
    }
  }
  return printer.take();
}

std::string trace_json(const Plan& plan, const TracedRecord& record,
                       const std::vector<TracedChain>& traced, const SinkPartitions& partitions) {
  static constexpr std::string_view outcomes[] = {"passed", "filtered", "failed"};
  observe::JsonWriter json;
  json.begin_object().field("format_version", 1).key("record").begin_object();
  json.field("source", plan.sources[record.source].name);
  if (!record.topic.empty()) {
    json.field("topic", record.topic).field("partition", record.partition);
  }
  if (record.offset >= 0) json.field("offset", record.offset);
  json.key("key").raw(json_of(record.key)).key("value").raw(json_of(record.value));
  write_headers(json, record.headers);
  json.end_object().key("chains").begin_array();
  for (const TracedChain& chain : traced) {
    json.begin_object().field("from", chain.from).key("stages").begin_array();
    for (const TracedStage& step : chain.stages) {
      json.begin_object()
          .field("stage", step.stage->word)
          .field("text", step.stage->text)
          .field("place", place_of(*step.stage))
          .field("outcome", outcomes[static_cast<std::size_t>(step.outcome)]);
      if (step.outcome == TracedStage::Outcome::Failed) {
        json.field("code", name_of(step.code))
            .field("message", step.message)
            .field("policy", step.policy);
      }
      if (!step.arm.empty()) json.field("arm", step.arm);
      json.key("columns").begin_object();
      for (const auto& [name, value] : step.columns) json.key(name).raw(value);
      json.end_object().end_object();
    }
    json.end_array().key("outputs").begin_array();
    for (const TracedOutput& output : chain.outputs) {
      const EndpointPlan& sink = plan.sinks[output.sink];
      json.begin_object().field("sink", sink.name).field("dead_letter", output.dead_letter);
      if (const std::string topic = string_param(sink.params, "topic"); !topic.empty()) {
        json.field("topic", topic).key("partition");
        const auto partition = partition_of(plan, output, partitions);
        partition ? json.value(*partition) : json.null();
      }
      json.key("key").raw(json_of(output.key)).key("value").raw(json_of(output.value));
      write_headers(json, output.headers);
      json.end_object();
    }
    json.end_array().end_object();
  }
  json.end_array().end_object();
  return json.take();
}

}  // namespace kaspar::cli
