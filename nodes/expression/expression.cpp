// Registration of expressions: their functions, and the stages that compute with them.
#include "nodes/expression/constant.hpp"
#include "nodes/expression/functions.hpp"
#include "nodes/expression/stages.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes {

void register_expression(NodeRegistry& registry) {
  for (auto* const family : {expression::number_functions, expression::text_functions,
                             expression::conversion_functions, expression::property_functions}) {
    for (FunctionDescriptor& function : family()) registry.add(std::move(function));
  }
  registry.set_constant_evaluator(expression::evaluate_constant);
  registry.add(expression::describe_filter());
  registry.add(expression::describe_derive());
  registry.add(expression::describe_keep());
  registry.add(expression::describe_route());
}

}  // namespace kaspar::nodes
