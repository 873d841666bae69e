// A model file's computation as plain data: validated, weights loaded, nothing computed yet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "nodes/model/name_reads.hpp"
#include "nodes/model/tensor.hpp"
#include "runtime/core/issue.hpp"

namespace kaspar::nodes {

struct Graph;

/// Strings of which many are the same: a forest of 100 MB has millions of `BRANCH_LEQ`.
class TextList {
 public:
  /// Whether it was new.
  bool add(std::string text) {
    if (distinct_ == nullptr) distinct_ = std::make_shared<std::unordered_set<std::string>>();
    const auto [place, added] = distinct_->insert(std::move(text));
    texts_.push_back(&*place);
    return added;
  }
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  [[nodiscard]] bool empty() const noexcept { return texts_.empty(); }
  [[nodiscard]] const std::string& operator[](std::size_t i) const { return *texts_[i]; }
  [[nodiscard]] std::vector<std::string> all() const {
    std::vector<std::string> out;
    out.reserve(size());
    for (const std::string* text : texts_) out.push_back(*text);
    return out;
  }

 private:
  std::shared_ptr<std::unordered_set<std::string>> distinct_;  // shared by copies; null: none
  std::vector<const std::string*> texts_;
};

struct Attribute {
  std::int64_t integer = 0;
  float number = 0;
  std::string text;
  std::vector<std::int64_t> integers;
  std::vector<float> numbers;
  TextList texts;
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
  bool tensor = true;
  std::string type = {};  // for people: "float32", "sequence of maps"
};

/// What a model file says of itself.
struct ModelOrigin {
  std::string producer;
  std::string producer_version;
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  // by domain; ONNX's own: "ai.onnx"
  std::uint64_t file_bytes = 0;
  std::uint64_t outside_bytes = 0;  // of the weights beside it
};

/// Nodes that are read from their file whenever they are gone through: a million of them would take
/// more memory than what they become. For one thread.
class NodeSource {
 public:
  NodeSource() = default;
  NodeSource(const NodeSource&) = delete;
  NodeSource& operator=(const NodeSource&) = delete;
  virtual ~NodeSource() = default;
  /// In topological order. Throws GraphRefused where the file holds something else.
  virtual void each(const std::function<void(const GraphNode&)>& with) = 0;
};

/// The issue is the file's.
struct GraphRefused {
  Issue issue;
};

/// A branch or a loop's turn is one, too: it reads what the graph around it defined before, and the
/// types and dimensions of its inputs and outputs are not told.
struct Graph {
  std::int64_t opset = 0;
  std::map<std::string, Tensor, std::less<>> initializers;  // known
  std::vector<GraphNode> nodes;                             // in topological order
  std::shared_ptr<NodeSource> source;                       // of the nodes, where they are not held
  NameReads reads;                                          // of a graph whose nodes are not held
  std::vector<GraphPort> inputs;                            // without initializers
  std::vector<GraphPort> outputs;
  std::size_t bytes = 0;  // of weights, and of nodes' lists as the file has them
  ModelOrigin origin;

  /// Goes through the nodes. Throws what the source throws.
  void each_node(const std::function<void(const GraphNode&)>& with) const {
    if (source != nullptr) return source->each(with);
    for (const GraphNode& node : nodes) with(node);
  }
};

}  // namespace kaspar::nodes
