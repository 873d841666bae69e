// Stages and plans of any shape for the engine's tests: each row carries the trail of the chains
// that it came through.
#pragma once

#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/plan.hpp"
#include "runtime/engine/memory_endpoints.hpp"

namespace kaspar::engine::test {

/// The same answer for the same row, wherever it is asked.
inline std::uint64_t mixed(std::uint64_t offset, std::uint64_t seed) {
  std::uint64_t x = offset + seed * 0x9E3779B97F4A7C15ull + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

/// What a chain does to a row: one of `fails` rows fails, one of `skips` is filtered; 0: none.
struct HopRule {
  std::uint64_t seed = 0;
  std::uint64_t fails = 0;
  std::uint64_t skips = 0;

  [[nodiscard]] bool fail(std::int64_t offset) const {
    return fails != 0 && mixed(static_cast<std::uint64_t>(offset), seed) % fails == 0;
  }
  [[nodiscard]] bool skip(std::int64_t offset) const {
    return skips != 0 && mixed(static_cast<std::uint64_t>(offset), seed + 1) % skips == 0;
  }
};

/// The arm of a row, of so many.
inline std::int64_t arm_of(std::int64_t offset, std::uint64_t seed, std::uint64_t arms) {
  return static_cast<std::int64_t>(mixed(static_cast<std::uint64_t>(offset), seed) % arms);
}

inline std::uint64_t number(const StageCall& call, std::string_view name) {
  return static_cast<std::uint64_t>(*call.params.find(name)->second.get<std::int64_t>());
}

/// Appends the chain's name to the trail, which it takes from the column before, if there is one.
class Hop final : public Operator {
 public:
  explicit Hop(const StageBinding& binding)
      : rule_{.seed = number(binding.call, "seed"),
              .fails = number(binding.call, "fails"),
              .skips = number(binding.call, "skips")},
        name_(binding.call.name),
        to_(binding.writes[0]) {
    if (!binding.call.input_slots.empty()) from_ = binding.call.input_slots[0];
  }

  void process(Batch& batch, OperatorState*) const noexcept override {
    std::string trail;
    for (const Row row : batch.alive()) {
      const std::int64_t offset = batch.record(row).offset;
      if (rule_.fail(offset)) {
        batch.fail(row, DiagnosticCode::K0902, "bad at " + name_);
        continue;
      }
      if (rule_.skip(offset)) {
        batch.discard(row);
        continue;
      }
      trail = from_ ? *batch.column(*from_).row<std::string_view>(row) : batch.record(row).value;
      trail += "/" + name_;
      *batch.column(to_).row<std::string_view>(row) = batch.text().copy(trail);
    }
  }

 private:
  HopRule rule_;
  std::string name_;
  std::optional<Slot> from_;
  Slot to_;
};

class RouteByOffset final : public Operator {
 public:
  explicit RouteByOffset(const StageBinding& binding)
      : seed_(number(binding.call, "seed")),
        arms_(number(binding.call, "arms")),
        to_(binding.writes[0]) {}

  void process(Batch& batch, OperatorState*) const noexcept override {
    for (const Row row : batch.alive()) {
      *batch.column(to_).row<std::int64_t>(row) = arm_of(batch.record(row).offset, seed_, arms_);
    }
  }

 private:
  std::uint64_t seed_;
  std::uint64_t arms_;
  Slot to_;
};

class ToTrail final : public Operator {
 public:
  explicit ToTrail(const StageBinding& binding) : from_(binding.call.input_slots[0]) {}

  void process(Batch& batch, OperatorState*) const noexcept override {
    for (const Row row : batch.alive()) {
      batch.outputs().push_back({.key = batch.record(row).key,
                                 .value = *batch.column(from_).row<std::string_view>(row),
                                 .row = row,
                                 .has_key = true});
    }
  }

 private:
  Slot from_;
};

template <class Work>
std::unique_ptr<Operator> make_bound(const StageBinding& binding) {
  return std::make_unique<Work>(binding);
}

inline const NodeDescriptor hop_node{.name = "hop", .make_operator = make_bound<Hop>};
inline const NodeDescriptor route_node{.name = "route", .make_operator = make_bound<RouteByOffset>};
inline const NodeDescriptor trail_node{.name = "to", .make_operator = make_bound<ToTrail>};

inline ChainInput from_source(std::size_t source = 0) { return {.source = source}; }
inline ChainInput from_chain(std::size_t chain, std::optional<std::size_t> arm = {}) {
  return {.chain = chain, .arm = arm};
}

/// A chain that names itself in the trail of its rows.
struct Link {
  std::string name;
  std::vector<ChainInput> inputs;
  HopRule rule;
  std::optional<std::size_t> sink;
  std::uint64_t arms = 0;  // of a `route`
  ErrorPolicy on_error = {.action = ErrorPolicy::Action::Drop};
  bool best_effort = false;
  std::size_t queue_rows = 0;
};

/// Chains that read a source have the trail in slot 0; others inherit it there and write slot 1.
/// The arm is the last slot.
inline ChainPlan make_link(const Link& link) {
  ChainPlan chain{.name = link.name,
                  .inputs = link.inputs,
                  .sink = link.sink,
                  .best_effort = link.best_effort,
                  .queue_rows = link.queue_rows};
  // One that reads a source as well as a chain gets the raw value from both.
  bool inherits = true;
  for (const ChainInput& input : link.inputs) inherits = inherits && !input.source;
  const auto value = [](std::uint64_t n) { return Value{static_cast<std::int64_t>(n)}; };
  const auto add = [&](const NodeDescriptor& node, Slot writes, StageCall call) {
    StagePlan& stage = chain.stages.emplace_back();
    stage.word = node.name;
    stage.node = &node;
    stage.call = std::move(call);
    if (&node != &trail_node) stage.writes = {writes};
    stage.on_error = link.on_error;
    chain.segments.push_back({chain.stages.size() - 1, chain.stages.size()});
  };
  const Column trail{.name = "trail", .type = {.scalar = ScalarType::String}};
  if (inherits) {
    chain.inherited = 1;
    chain.slots.push_back(trail);
    for (ChainInput& input : chain.inputs) input.columns = {{.from = 0, .to = 0}};
  }
  const auto written = static_cast<Slot>(chain.slots.size());
  chain.slots.push_back(trail);
  StageCall hop{.params = {{"seed", value(link.rule.seed)},
                           {"fails", value(link.rule.fails)},
                           {"skips", value(link.rule.skips)}},
                .name = link.name};
  if (inherits) hop.input_slots = {0};
  add(hop_node, written, std::move(hop));
  if (link.arms != 0) {
    chain.arm = static_cast<Slot>(chain.slots.size());
    chain.slots.push_back({.name = "route", .type = {.scalar = ScalarType::I64}});
    add(route_node, *chain.arm,
        {.params = {{"seed", value(link.rule.seed + 2)}, {"arms", value(link.arms)}}});
  }
  if (link.sink) {
    StageCall to;
    to.input_slots = {written};
    add(trail_node, 0, std::move(to));
  }
  // The first stage alone, what follows together.
  if (chain.segments.size() > 2) chain.segments = {{0, 1}, {1, chain.stages.size()}};
  return chain;
}

/// The trail of a chain, as its readers find it.
inline std::vector<ChainPlan> make_links(const std::vector<Link>& links) {
  std::vector<ChainPlan> chains;
  for (const Link& link : links) {
    ChainPlan& chain = chains.emplace_back(make_link(link));
    for (ChainInput& input : chain.inputs) {
      if (input.source || input.columns.empty()) continue;
      input.columns[0].from = static_cast<Slot>(chains[input.chain].inherited);
    }
  }
  return chains;
}

}  // namespace kaspar::engine::test
