#include "runtime/cli/record_trace.hpp"

#include <fmt/format.h>

#include <array>
#include <memory>

#include "runtime/core/column_text.hpp"
#include "runtime/core/operator.hpp"
#include "runtime/observe/pipeline_graph.hpp"

namespace kaspar::cli {
namespace {

class SingleStorage final : public RecordStorage {
 public:
  explicit SingleStorage(const TracedRecord& record) : record_(record) {}
  void release() noexcept override {}
  void headers(std::size_t, std::vector<Header>& headers) const override {
    for (const auto& [name, value] : record_.headers) {
      headers.push_back({.name = name,
                         .value = value ? std::string_view{*value} : std::string_view{},
                         .has_value = value.has_value()});
    }
  }

 private:
  const TracedRecord& record_;
};

std::optional<std::string> text_of(std::string_view bytes, bool there) {
  return there ? std::optional<std::string>{bytes} : std::nullopt;
}

std::string policy_text(const Plan& plan, const ChainPlan& chain, const ErrorPolicy& policy) {
  if (chain.best_effort) return "counted and dropped, for all below is best-effort";
  switch (policy.action) {
    case ErrorPolicy::Action::Drop:
      return "dropped, as the file says";
    case ErrorPolicy::Action::Fail:
      return "ends the run";
    case ErrorPolicy::Action::Sink:
      return fmt::format("to the sink `{}`", plan.sinks[policy.sink].name);
  }
  return {};
}

class Tracer {
 public:
  Tracer(const Plan& plan, const TracedRecord& record, const SinkLimits& limits)
      : plan_(plan), record_(record), limits_(limits) {
    batch_.endpoint = record.source;
    batch_.storage = std::make_unique<SingleStorage>(record);
    batch_.header = record.header;
    batch_.records.push_back({.key = record.key ? *record.key : std::string_view{},
                              .value = record.value ? *record.value : std::string_view{},
                              .timestamp = record.timestamp,
                              .offset = record.offset,
                              .has_key = record.key.has_value(),
                              .has_value = record.value.has_value()});
    batch_.spans.push_back({.topic = record.topic,
                            .partition = record.partition,
                            .first_offset = record.offset,
                            .last_offset = record.offset});
  }

  std::vector<TracedChain> run() {
    for (std::size_t i = 0; i < plan_.chains.size(); ++i) {
      for (const ChainInput& input : plan_.chains[i].inputs) {
        if (input.source == record_.source) {
          follow(i, input, nullptr, plan_.sources[record_.source].name);
        }
      }
    }
    return std::move(traced_);
  }

 private:
  // Chains come after those that they read, so this ends.
  void follow(std::size_t index, const ChainInput& input, const Batch* parent, std::string from) {
    const ChainPlan& chain = plan_.chains[index];
    Batch batch(chain.slots, 1, chain.inherited);
    if (parent == nullptr) {
      batch.reset(batch_);
    } else {
      for (const ColumnBinding& binding : input.columns) {
        batch.bind(binding.to, parent->column(binding.from));
      }
      const std::array<Row, 1> alive{0};
      batch.reset(batch_, alive);
    }
    TracedChain& traced =
        traced_.emplace_back(TracedChain{.chain = index, .from = std::move(from)});
    for (std::size_t i = 0; i < chain.stages.size() && !batch.alive().empty(); ++i) {
      run_stage(chain, i, batch, traced);
    }
    for (const OutputRecord& output : batch.outputs())
      traced.outputs.push_back(output_of(output, *chain.sink));
    if (batch.alive().empty()) return;
    constexpr std::int64_t none = -1;
    const std::int64_t arm = chain.arm ? batch.column(*chain.arm).values<std::int64_t>()[0] : none;
    for (std::size_t next = index + 1; next < plan_.chains.size(); ++next) {
      for (const ChainInput& below : plan_.chains[next].inputs) {
        if (below.source || below.chain != index) continue;
        if (below.arm && static_cast<std::int64_t>(*below.arm) != arm) continue;
        follow(next, below, &batch,
               below.arm ? observe::arm_stream(chain, *below.arm) : chain.name);
      }
    }
  }

  void run_stage(const ChainPlan& chain, std::size_t index, Batch& batch, TracedChain& traced) {
    const StagePlan& stage = chain.stages[index];
    // Outputs may view what these hold.
    const Operator& work = *operators_.emplace_back(stage.node->make_operator(
        {.call = stage.call, .writes = stage.writes, .resource = stage.resource}));
    OperatorState* state = states_.emplace_back(work.make_state()).get();
    batch.begin_stage(static_cast<std::uint32_t>(index));
    work.process(batch, state);
    if (chain.sink && index + 1 == chain.stages.size()) refuse_large(batch, *chain.sink);
    batch.end_stage();
    const bool failed = !batch.errors().empty();
    if (stage.implicit && !failed) return;  // the file has no such stage
    TracedStage& step = traced.stages.emplace_back(TracedStage{.stage = &stage});
    if (failed) {
      const RowError& error = batch.errors().front();
      step.outcome = TracedStage::Outcome::Failed;
      step.code = error.code;
      step.message = error.message;
      step.policy = policy_text(plan_, chain, stage.on_error);
      if (!chain.best_effort && stage.on_error.action == ErrorPolicy::Action::Sink) {
        traced.outputs.push_back(dead_letter(stage, error));
      }
      return;
    }
    if (batch.alive().empty()) {
      step.outcome = TracedStage::Outcome::Filtered;
      return;
    }
    if (chain.arm && index + 1 == chain.stages.size()) {
      step.arm = observe::arm_stream(
          chain, static_cast<std::size_t>(batch.column(*chain.arm).values<std::int64_t>()[0]));
      return;
    }
    for (const Slot slot : stage.writes) {
      std::string text;
      append_column_json(text, batch.column(slot), 0);
      step.columns.emplace_back(chain.slots[slot].name, std::move(text));
    }
  }

  void refuse_large(Batch& batch, std::size_t sink) {
    const auto limit = limits_.find(sink);
    if (limit == limits_.end()) return;
    for (const OutputRecord& output : batch.outputs()) {
      std::size_t bytes = output.key.size() + output.value.size();
      for (const Header& header : output.headers) bytes += header.name.size() + header.value.size();
      if (bytes <= limit->second) continue;
      batch.fail(
          output.row, DiagnosticCode::K0908,
          fmt::format("the result has {} bytes, the sink takes at most {}", bytes, limit->second));
    }
    std::erase_if(batch.outputs(), [&](const OutputRecord& r) { return batch.removed(r.row); });
  }

  static TracedOutput output_of(const OutputRecord& output, std::size_t sink) {
    TracedOutput traced{.sink = sink,
                        .key = text_of(output.key, output.has_key),
                        .value = text_of(output.value, output.has_value),
                        .timestamp = output.timestamp};
    for (const Header& header : output.headers) {
      traced.headers.emplace_back(header.name, text_of(header.value, header.has_value));
    }
    return traced;
  }

  TracedOutput dead_letter(const StagePlan& stage, const RowError& error) const {
    TracedOutput letter{.sink = stage.on_error.sink,
                        .key = record_.key,
                        .value = record_.value,
                        .dead_letter = true};
    letter.headers = {{"kaspar.stage", stage.word},
                      {"kaspar.code", std::string{name_of(error.code)}},
                      {"kaspar.message", error.message}};
    if (!record_.topic.empty()) {
      letter.headers.emplace_back("kaspar.topic", record_.topic);
      letter.headers.emplace_back("kaspar.partition", std::to_string(record_.partition));
    }
    if (record_.offset >= 0)
      letter.headers.emplace_back("kaspar.offset", std::to_string(record_.offset));
    return letter;
  }

  const Plan& plan_;
  const TracedRecord& record_;
  const SinkLimits& limits_;
  RecordBatch batch_;
  std::vector<std::unique_ptr<Operator>> operators_;
  std::vector<std::unique_ptr<OperatorState>> states_;
  std::vector<TracedChain> traced_;
};

}  // namespace

std::vector<TracedChain> trace_record(const Plan& plan, const TracedRecord& record,
                                      const SinkLimits& limits) {
  return Tracer(plan, record, limits).run();
}

}  // namespace kaspar::cli
