// Registration of the stages that make numbers fit for a model.
#include "nodes/vectorize/standardize.hpp"
#include "nodes/vectorize/vector.hpp"

namespace kaspar::nodes {

void register_vectorize(NodeRegistry& registry) {
  registry.add(vectorize::describe_standardize());
  registry.add(vectorize::describe_vector());
}

}  // namespace kaspar::nodes
