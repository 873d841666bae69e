#include "nodes/model/outside_files.hpp"

#include <fmt/core.h>
#include <onnx-ml.pb.h>

#include <filesystem>
#include <fstream>

namespace kaspar::nodes {
namespace {

/// Adds what the tensors of a graph, and of those within its nodes, say of other files.
class LocationCollector {
 public:
  LocationCollector(std::filesystem::path folder, std::set<std::string>& paths)
      : folder_(std::move(folder)), paths_(paths) {}

  void graph(const onnx::GraphProto& graph) {
    for (const auto& tensor : graph.initializer()) add(tensor);
    for (const auto& sparse : graph.sparse_initializer()) this->sparse(sparse);
    for (const auto& node : graph.node()) this->node(node);
  }

  void node(const onnx::NodeProto& node) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_t()) add(attribute.t());
      for (const auto& tensor : attribute.tensors()) add(tensor);
      if (attribute.has_sparse_tensor()) sparse(attribute.sparse_tensor());
      if (attribute.has_g()) graph(attribute.g());
      for (const auto& inner : attribute.graphs()) graph(inner);
    }
  }

 private:
  void sparse(const onnx::SparseTensorProto& tensor) {
    add(tensor.values());
    add(tensor.indices());
  }

  void add(const onnx::TensorProto& tensor) {
    if (tensor.data_location() != onnx::TensorProto::EXTERNAL) return;
    for (const auto& entry : tensor.external_data()) {
      if (entry.key() == "location") paths_.insert((folder_ / entry.value()).string());
    }
  }

  std::filesystem::path folder_;
  std::set<std::string>& paths_;
};

}  // namespace

std::expected<std::set<std::string>, Issue> outside_files(const std::string& model) {
  std::ifstream file(model, std::ios::binary);
  onnx::ModelProto proto;
  if (!file || !proto.ParseFromIstream(&file)) {
    return std::unexpected(
        Issue{.code = DiagnosticCode::K0405,
              .place = {.part = IssuePlace::Part::File},
              .message = fmt::format("the model `{}` cannot be read any more", model)});
  }
  std::set<std::string> paths;
  LocationCollector collector(std::filesystem::path(model).parent_path(), paths);
  collector.graph(proto.graph());
  for (const auto& function : proto.functions()) {
    for (const auto& node : function.node()) collector.node(node);
  }
  return paths;
}

}  // namespace kaspar::nodes
