#include "nodes/model/graph_lowering.hpp"

#include <string>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

/// Whether a node has inputs, all known.
bool all_known(const NodeLowering& lowering, const GraphNode& node) {
  bool any = false;
  for (const std::string& name : node.inputs) {
    if (name.empty()) continue;
    if (!lowering.tensor(name).known()) return false;
    any = true;
  }
  return any;
}

}  // namespace

void lower_node(NodeLowering& lowering, const GraphNode& node) {
  lowering.enter(&node);
  const NamedOperator* found = find_operator(node.op);
  if (found == nullptr) lowering.unsupported("");
  std::size_t read = 1;
  for (const std::string& name : node.inputs) {
    if (!name.empty()) read += lowering.tensor(name).refs.size();
  }
  lowering.spend(read);
  if (found->folds && all_known(lowering, node)) {
    lowering.fold(found->lower);
  } else {
    found->lower(lowering);
  }
  for (const std::string& name : node.outputs) {
    if (!name.empty() && !lowering.defined(name)) lowering.unsupported("with so many outputs");
  }
  lowering.drop_what_was_read();
}

}  // namespace kaspar::nodes
