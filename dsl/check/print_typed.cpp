#include "dsl/check/print_typed.hpp"

#include <fmt/format.h>

#include <iterator>

#include "dsl/check/print_expression.hpp"

namespace kaspar::dsl {
namespace {

using Out = std::back_insert_iterator<std::string>;

std::string place_text(const Place& place) {
  return fmt::format("{}:{}", place.line, place.column);
}

void print_endpoint(Out out, std::string_view word, const EndpointPlan& endpoint) {
  fmt::format_to(out, "{} {} = {} at {}\n", word, endpoint.name,
                 endpoint.node == nullptr ? "?" : endpoint.node->name, place_text(endpoint.place));
  for (const auto& [name, value] : endpoint.params) {
    fmt::format_to(out, "  {}: {}\n", name, print_value(value));
  }
}

std::string input_name(const Plan& plan, const ChainInput& input) {
  if (input.source) return plan.sources[*input.source].name;
  const ChainPlan& chain = plan.chains[input.chain];
  std::string name = chain.name.empty() ? fmt::format("chain {}", input.chain) : chain.name;
  if (input.arm) name += fmt::format(" arm {}", *input.arm);
  return name;
}

void print_stage(Out out, const ChainPlan& chain, const StagePlan& stage) {
  fmt::format_to(out, "  |> {}{} at {}\n", stage.text,
                 stage.implicit ? fmt::format(" (for {})", stage.word) : std::string{},
                 place_text(stage.place));
  for (const Operand& operand : stage.call.operands) {
    if (!operand.role.empty()) {
      std::string role = operand.role;
      for (const std::string& name : operand.path) role += "." + name;
      fmt::format_to(out, "    {}:\n", role);
    }
    fmt::format_to(out, "{}",
                   print_expression(operand.expression, chain.slots, operand.role.empty() ? 4 : 6));
  }
  if (stage.call.operands.empty() && chain.sink && &stage == &chain.stages.back()) {
    for (const Column& column : stage.call.input.columns) {
      fmt::format_to(out, "    {}: {}\n", column.name, to_string(column.type));
    }
  }
  for (const auto& [name, value] : stage.call.params) {
    fmt::format_to(out, "    {}: {}\n", name, print_value(value));
  }
  for (const Slot slot : stage.writes) {
    fmt::format_to(out, "    -> {}: {}\n", chain.slots[slot].name,
                   to_string(chain.slots[slot].type));
  }
}

void print_chain(Out out, const Plan& plan, std::size_t index) {
  const ChainPlan& chain = plan.chains[index];
  fmt::format_to(out, "chain {}{}{} from", index, chain.name.empty() ? "" : " ", chain.name);
  std::string_view separator = " ";
  for (const ChainInput& input : chain.inputs) {
    fmt::format_to(out, "{}{}", separator, input_name(plan, input));
    separator = ", ";
  }
  fmt::format_to(out, " at {}\n", place_text(chain.place));
  for (std::size_t slot = 0; slot < chain.inherited; ++slot) {
    fmt::format_to(out, "  {}: {}\n", chain.slots[slot].name, to_string(chain.slots[slot].type));
  }
  for (const StagePlan& stage : chain.stages) print_stage(out, chain, stage);
}

}  // namespace

std::string print_typed(const Plan& plan) {
  std::string text;
  const Out out = std::back_inserter(text);
  fmt::format_to(out, "deliver {}\n",
                 plan.guarantee == Guarantee::ExactlyOnce ? "exactly_once" : "at_least_once");
  for (const EndpointPlan& source : plan.sources) print_endpoint(out, "source", source);
  for (const EndpointPlan& sink : plan.sinks) print_endpoint(out, "sink", sink);
  for (const ModelPlan& model : plan.models) {
    fmt::format_to(out, "model {} = {} {:?} at {}\n", model.name,
                   model.node == nullptr ? "?" : model.node->name, model.path,
                   place_text(model.place));
  }
  for (std::size_t i = 0; i < plan.chains.size(); ++i) print_chain(out, plan, i);
  return text;
}

}  // namespace kaspar::dsl
