// A model file's computation as plain data: validated, weights loaded, nothing computed yet.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "nodes/model/tensor.hpp"

namespace kaspar::nodes {

struct Graph;

struct Attribute {
  std::int64_t integer = 0;
  float number = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> numbers;
  std::vector<std::string> texts;
  std::optional<Tensor> tensor;        // known
  std::shared_ptr<const Graph> graph;  // of a branch or a loop's turn
};

struct GraphNode {
  std::string op;  // with its domain, unless that is ONNX's own: "ai.onnx.ml.Scaler"
  std::string name;
  std::vector<std::string> inputs;  // empty: an optional one left out
  std::vector<std::string> outputs;
  std::map<std::string, Attribute, std::less<>> attributes;
};

/// An input or output of the graph; a dimension of -1 is free.
struct GraphPort {
  std::string name;
  std::int32_t data_type = 0;           // onnx::TensorProto::DataType
  std::optional<Element> element = {};  // none: it is not taken
  std::vector<std::int64_t> dims;
};

/// A branch or a loop's turn is one, too: it reads what the graph around it defined before, and the
/// types and dimensions of its inputs and outputs are not told.
struct Graph {
  std::int64_t opset = 0;
  std::map<std::string, Tensor, std::less<>> initializers;  // known
  std::vector<GraphNode> nodes;                             // in topological order
  std::vector<GraphPort> inputs;                            // without initializers
  std::vector<GraphPort> outputs;
  std::size_t bytes = 0;  // of weights
};

}  // namespace kaspar::nodes
