// A model file's computation as plain data: validated, weights loaded, nothing computed yet.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace kaspar::nodes {

/// A tensor of the file, row-major. Booleans and integers are `ints`, floating numbers `floats`.
struct Constant {
  bool integer = false;
  std::vector<std::int64_t> dims;
  std::vector<float> floats;
  std::vector<std::int64_t> ints;
};

struct Attribute {
  std::int64_t integer = 0;
  float number = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> numbers;
  std::vector<std::string> texts;
  bool has_tensor = false;
  Constant tensor;
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
  std::int32_t element_type = 0;  // onnx::TensorProto::DataType
  std::vector<std::int64_t> dims;
};

struct Graph {
  std::int64_t opset = 0;
  std::map<std::string, Constant, std::less<>> initializers;
  std::vector<GraphNode> nodes;   // in topological order
  std::vector<GraphPort> inputs;  // without initializers
  std::vector<GraphPort> outputs;
  std::size_t bytes = 0;  // of weights
};

}  // namespace kaspar::nodes
