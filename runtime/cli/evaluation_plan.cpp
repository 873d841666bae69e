#include "runtime/cli/evaluation_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/cli/evaluation_endpoints.hpp"

namespace kaspar::cli {
namespace {

struct LabelColumn {
  std::size_t chain = 0;
  Slot slot = 0;
  bool of_stream = false;  // as the stream's readers see it, behind all of its stages
};

bool ends_in_label(std::string_view name) { return name.ends_with(".label"); }

/// Labels that models compute: the columns of all `apply` stages.
std::vector<LabelColumn> model_labels(const Plan& plan) {
  std::vector<LabelColumn> columns;
  for (std::size_t i = 0; i < plan.chains.size(); ++i) {
    const ChainPlan& chain = plan.chains[i];
    for (const StagePlan& stage : chain.stages) {
      if (stage.word != "apply") continue;
      for (const Slot slot : stage.writes) {
        if (ends_in_label(chain.slots[slot].name)) columns.push_back({.chain = i, .slot = slot});
      }
    }
  }
  return columns;
}

/// The column of this name that the chain's end has: one that replaces another comes after it.
std::optional<Slot> last_named(const ChainPlan& chain, std::string_view name, std::size_t first) {
  for (std::size_t slot = chain.slots.size(); slot-- > first;) {
    if (chain.slots[slot].name == name) return static_cast<Slot>(slot);
  }
  return std::nullopt;
}

/// `COLUMN`, in the chains that compute it, or `STREAM.COLUMN`.
std::vector<LabelColumn> named_columns(const Plan& plan, std::string_view wanted) {
  std::vector<LabelColumn> columns;
  for (std::size_t i = 0; i < plan.chains.size(); ++i) {
    const ChainPlan& chain = plan.chains[i];
    auto slot = last_named(chain, wanted, chain.inherited);
    const bool of_stream = !slot && !chain.name.empty() && wanted.starts_with(chain.name + ".");
    if (of_stream) slot = last_named(chain, wanted.substr(chain.name.size() + 1), 0);
    if (slot) columns.push_back({.chain = i, .slot = *slot, .of_stream = of_stream});
  }
  return columns;
}

/// As a person may name it: with its stream where it has one.
std::string name_of(const Plan& plan, const LabelColumn& column) {
  const ChainPlan& chain = plan.chains[column.chain];
  const std::string& name = chain.slots[column.slot].name;
  return chain.name.empty() ? name : chain.name + "." + name;
}

/// The chain and those that its rows come through.
std::set<std::size_t> chains_above(const Plan& plan, std::size_t last) {
  std::set<std::size_t> kept{last};
  for (std::size_t i = last + 1; i-- > 0;) {
    if (!kept.contains(i)) continue;
    for (const ChainInput& input : plan.chains[i].inputs) {
      if (!input.source) kept.insert(input.chain);
    }
  }
  return kept;
}

std::set<std::size_t> sources_of(const Plan& plan, const std::set<std::size_t>& chains) {
  std::set<std::size_t> sources;
  for (const std::size_t chain : chains) {
    for (const ChainInput& input : plan.chains[chain].inputs) {
      if (input.source) sources.insert(*input.source);
    }
  }
  return sources;
}

/// The score that the same `apply` gives with a label.
std::optional<Slot> score_slot(const ChainPlan& chain, Slot label) {
  constexpr std::string_view ending = ".label";
  const std::string& name = chain.slots[label].name;
  if (!ends_in_label(name)) return std::nullopt;
  const std::string score = name.substr(0, name.size() - ending.size()) + ".score";
  for (const StagePlan& stage : chain.stages) {
    if (std::ranges::find(stage.writes, label) == stage.writes.end()) continue;
    for (const Slot slot : stage.writes) {
      const Column& column = chain.slots[slot];
      if (column.name == score && column.type.is_float() && !column.type.is_vector()) return slot;
    }
  }
  return std::nullopt;
}

StagePlan make_output(const ChainPlan& chain, const NodeDescriptor& node, Slot slot) {
  const Column& column = chain.slots[slot];
  StagePlan stage;
  stage.word = "to";
  stage.text = "to labels";
  stage.node = &node;
  stage.fallible = true;
  stage.place = chain.place;
  stage.call.operands = {{.role = "key",
                          .expression = {.kind = Expression::Kind::Meta,
                                         .type = {.scalar = ScalarType::Bytes, .optional = true},
                                         .meta = MetaField::Key,
                                         .text = "meta.key"}},
                         {.role = "value",
                          .expression = {.kind = Expression::Kind::Column,
                                         .type = column.type,
                                         .slot = slot,
                                         .text = column.name}}};
  if (const auto score = score_slot(chain, slot)) {
    stage.call.operands.push_back({.role = fmt::format("headers.{}", score_header),
                                   .expression = {.kind = Expression::Kind::Column,
                                                  .type = chain.slots[*score].type,
                                                  .slot = *score,
                                                  .text = chain.slots[*score].name}});
  }
  return stage;
}

/// Ends the chain in sink 0: where the label is computed, so that no `filter` after it hides a
/// row; of a stream in place of its own sink or route, without what served only those.
void end_in_label(ChainPlan& chain, const NodeDescriptor& node, const LabelColumn& label) {
  const Slot slot = label.slot;
  const auto computes = [&](const StagePlan& stage) {
    return std::ranges::find(stage.writes, slot) != stage.writes.end();
  };
  if (!label.of_stream) {
    while (!chain.stages.empty() && !computes(chain.stages.back())) chain.stages.pop_back();
  } else if (chain.sink || chain.arm) {
    chain.stages.pop_back();
    while (!chain.stages.empty() && chain.stages.back().implicit) chain.stages.pop_back();
  }
  chain.arm.reset();
  chain.sink = 0;
  chain.stages.push_back(make_output(chain, node, slot));
  chain.segments = {{0, chain.stages.size()}};
}

}  // namespace

std::expected<Plan, std::string> make_evaluation_plan(const Plan& plan,
                                                      const NodeRegistry& registry,
                                                      const std::string& label) {
  const std::vector<LabelColumn> columns =
      label.empty() ? model_labels(plan) : named_columns(plan, label);
  if (columns.empty()) {
    return std::unexpected(
        label.empty() ? std::string{"no `apply` of the file has a label; say which column to "
                                    "compare with --label"}
                      : fmt::format("no chain of the file has the column `{}`", label));
  }
  if (columns.size() > 1) {
    std::vector<std::string> names;
    for (const LabelColumn& column : columns) names.push_back(name_of(plan, column));
    return std::unexpected(fmt::format("{} columns could be compared: {}; say which with --label",
                                       columns.size(), fmt::join(names, ", ")));
  }
  const std::size_t last = columns.front().chain;
  const Column& column = plan.chains[last].slots[columns.front().slot];
  if (column.type.is_vector()) {
    return std::unexpected(
        fmt::format("the column `{}` is `{}`, not one label", column.name, to_string(column.type)));
  }
  const std::set<std::size_t> kept = chains_above(plan, last);
  const std::set<std::size_t> sources = sources_of(plan, kept);
  if (sources.size() > 1) {
    std::vector<std::string> names;
    for (const std::size_t source : sources) names.push_back(plan.sources[source].name);
    return std::unexpected(fmt::format(
        "the rows of `{}` come from several sources ({}), and a file of labelled rows is one",
        column.name, fmt::join(names, ", ")));
  }
  Plan evaluated;
  evaluated.file = plan.file;
  evaluated.models = plan.models;
  evaluated.sources = {plan.sources[*sources.begin()]};
  evaluated.sinks = {{.name = "labels"}};
  std::map<std::size_t, std::size_t> places;
  for (const std::size_t index : kept) {
    places[index] = evaluated.chains.size();
    ChainPlan& chain = evaluated.chains.emplace_back(plan.chains[index]);
    for (ChainInput& input : chain.inputs) {
      if (input.source) {
        input.source = 0;
      } else {
        input.chain = places.at(input.chain);
      }
    }
    chain.best_effort = false;  // each row counts
    chain.queue_rows = 0;
    if (index == last) {
      end_in_label(chain, *registry.find(NodeRole::Stage, "to"), columns.front());
    }
    for (StagePlan& stage : chain.stages) {
      stage.on_error = {.action = ErrorPolicy::Action::Sink, .sink = 0};
    }
  }
  return evaluated;
}

}  // namespace kaspar::cli
