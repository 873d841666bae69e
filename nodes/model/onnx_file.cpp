#include "nodes/model/onnx_file.hpp"

#include <fmt/core.h>
#include <onnx-ml.pb.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "nodes/model/file_bytes.hpp"
#include "nodes/model/memory_meter.hpp"
#include "nodes/model/name_set.hpp"
#include "nodes/model/onnx_wire.hpp"
#include "nodes/model/operators.hpp"
#include "nodes/model/weight_reader.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::uint64_t largest_model = std::uint64_t{2} << 30;  // with its weights
constexpr std::uint64_t most_nodes = 1'000'000;
constexpr std::uint64_t most_names = 4 * most_nodes;
constexpr std::uint64_t most_ports = 10'000;
constexpr std::size_t most_depth = 8;                 // of graphs in graphs
constexpr std::uint64_t most_text_bytes = 64u << 10;  // of a name, or of what describes a port
constexpr std::int64_t oldest_opset = 7;
constexpr std::int64_t newest_opset = 25;
constexpr std::int64_t newest_ml_opset = 5;
constexpr std::string_view ml_domain = "ai.onnx.ml";

FileRefused damaged() { return {"it is damaged or no ONNX file"}; }

Issue file_issue(const std::string& path, const FileRefused& refused) {
  Issue issue;
  issue.code = refused.code;
  issue.place.part = IssuePlace::Part::File;
  issue.message = refused.code == DiagnosticCode::K0404
                      ? refused.reason
                      : fmt::format("cannot use model `{}`: {}", path, refused.reason);
  issue.help = refused.help;
  return issue;
}

std::string type_name(std::int32_t data_type) {
  std::string name = onnx::TensorProto::DataType_Name(data_type);
  if (name.empty()) return fmt::format("data type {}", data_type);
  std::ranges::transform(name, name.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name == "float") return "float32";
  return name == "double" ? "float64" : name;
}

/// Where the parts of the graph lie in the file.
struct GraphParts {
  std::vector<ByteRange> graphs;  // up to their last nodes
  std::vector<ByteRange> initializers;
  std::vector<ByteRange> inputs;
  std::vector<ByteRange> outputs;
  std::uint64_t nodes = 0;
};

class Reader final : public NodeSource {
 public:
  Reader(const std::string& path, std::uint64_t budget, UnknownOperators unknown)
      : path_(path),
        file_(path),
        unknown_(unknown),
        weights_memory_(std::min(budget, largest_model)),
        // Of 40 MB of hostile nodes no more than that is made.
        structure_memory_((std::uint64_t{64} << 20) + 6 * file_.size()),
        weights_(path_, file_, weights_memory_) {
    if (file_.size() > std::min(budget, largest_model)) {
      throw FileRefused{
          .reason = fmt::format("it has {}, and may take {}", bytes_text(file_.size()),
                                bytes_text(std::min(budget, largest_model))),
          .help = "give the run a larger `memory_budget` below `[run]` in the profile",
          .code = DiagnosticCode::K0407};
    }
  }

  Graph read() {
    Graph graph;
    graph.origin.file_bytes = file_.size();
    const GraphParts parts = read_model(graph);
    if (parts.graphs.empty()) throw FileRefused{"it has no graph"};
    if (parts.inputs.empty()) throw FileRefused{"it has no input"};
    if (parts.outputs.empty()) throw FileRefused{"it has no output"};
    read_ports(parts, graph);
    check_nodes(parts, graph);
    read_initializers(parts, graph);
    graphs_ = parts.graphs;
    structure_before_nodes_ = structure_memory_;
    weights_before_nodes_ = weights_memory_;
    graph.reads = std::exchange(reads_, {});
    graph.bytes = weights_memory_.taken() + attribute_bytes_;
    graph.origin.outside_bytes = weights_.outside_bytes();
    return graph;
  }

  [[nodiscard]] const std::vector<std::string>& outside_files() const noexcept {
    return weights_.outside_files();
  }

  void each(const std::function<void(const GraphNode&)>& with) override {
    // What nodes hold is theirs only as long as they are at hand; their weights may stay.
    structure_memory_ = structure_before_nodes_;
    weights_memory_ = weights_before_nodes_;
    for (const ByteRange& part : graphs_) {
      WireReader wire(file_, part);
      for (WireField field; next(wire, field);) {
        if (!field.holds(onnx::GraphProto::kNodeFieldNumber)) continue;
        with(node_at(field.bytes));
        structure_memory_ = structure_before_nodes_;
      }
    }
  }

 private:
  bool next(WireReader& wire, WireField& field) const {
    try {
      return wire.next(field);
    } catch (const FileRefused& refused) {
      throw GraphRefused{file_issue(path_, refused)};
    }
  }
  GraphNode node_at(ByteRange message) {
    try {
      return read_node(message);
    } catch (const FileRefused& refused) {
      throw GraphRefused{file_issue(path_, refused)};
    }
  }

  // --- the file as a whole ----------------------------------------------------------------------

  GraphParts read_model(Graph& graph) {
    using Model = onnx::ModelProto;
    GraphParts parts;
    WireReader wire(file_, {0, file_.size()});
    for (WireField field; wire.next(field);) {
      if (field.holds(Model::kGraphFieldNumber)) {
        const std::uint64_t last_node = find_parts(field.bytes, parts);
        parts.graphs.push_back({field.bytes.start, last_node});
      } else if (field.holds(Model::kOpsetImportFieldNumber)) {
        const auto opset = parsed<onnx::OperatorSetIdProto>(field.bytes);
        const bool own = opset.domain().empty();
        structure_memory_.take(200);
        graph.origin.opsets[own ? "ai.onnx" : opset.domain()] = opset.version();
      } else if (field.number == Model::kIrVersionFieldNumber) {
        graph.origin.ir_version = static_cast<std::int64_t>(field.value);
      } else if (field.holds(Model::kProducerNameFieldNumber)) {
        graph.origin.producer = short_text(field.bytes);
      } else if (field.holds(Model::kProducerVersionFieldNumber)) {
        graph.origin.producer_version = short_text(field.bytes);
      }
    }
    const auto own = graph.origin.opsets.find("ai.onnx");
    graph.opset = own == graph.origin.opsets.end() ? 0 : own->second;
    return parts;
  }

  /// Where the last node ends: whoever wants nodes need not read what comes after them again.
  std::uint64_t find_parts(ByteRange message, GraphParts& parts) {
    using Proto = onnx::GraphProto;
    std::uint64_t nodes_end = message.start;
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.type != WireType::Bytes) continue;
      switch (field.number) {
        case Proto::kNodeFieldNumber:
          if (++parts.nodes > most_nodes) {
            throw FileRefused{fmt::format("it has more than {} nodes", most_nodes)};
          }
          nodes_end = field.whole.end;
          break;
        case Proto::kInitializerFieldNumber:
          structure_memory_.take(200);
          parts.initializers.push_back(field.bytes);
          break;
        case Proto::kSparseInitializerFieldNumber:
          throw FileRefused{"it has sparse weights"};
        case Proto::kInputFieldNumber:
          structure_memory_.take(200);
          parts.inputs.push_back(field.bytes);
          break;
        case Proto::kOutputFieldNumber:
          parts.outputs.push_back(field.bytes);
          if (parts.outputs.size() > most_ports) throw FileRefused{"it has too many outputs"};
          break;
        default:
          break;
      }
    }
    return nodes_end;
  }

  // --- names and operators, before anything is made ----------------------------------------------

  /// Names are compared by hashes of 64 bits.
  void define(std::string_view name) {
    if (!known_.insert(name_hash(name))) {
      throw FileRefused{fmt::format("it defines `{}` twice", name)};
    }
    if (known_.size() > most_names) throw FileRefused{"it defines too many names"};
  }
  [[nodiscard]] bool defined(std::string_view name) const {
    const std::uint64_t hash = name_hash(name);
    return known_.contains(hash) || known_inside_.contains(hash);
  }

  void read_ports(const GraphParts& parts, Graph& graph) {
    for (const ByteRange& part : parts.initializers) define(tensor_name(part));
    for (const ByteRange& part : parts.inputs) {
      const auto proto = parsed<onnx::ValueInfoProto>(part);
      if (defined(proto.name())) {  // old files list initializers among the inputs
        const bool again = std::ranges::any_of(
            graph.inputs, [&](const GraphPort& port) { return port.name == proto.name(); });
        if (again) throw FileRefused{fmt::format("it defines `{}` twice", proto.name())};
        continue;
      }
      define(proto.name());
      graph.inputs.push_back(read_port(proto));
      if (!proto.type().has_tensor_type() || !proto.type().tensor_type().has_shape()) {
        throw FileRefused{fmt::format("its input `{}` is no tensor with a shape", proto.name())};
      }
      if (graph.inputs.size() > most_ports) throw FileRefused{"it has too many inputs"};
    }
    if (graph.inputs.empty()) throw FileRefused{"it has no input"};
    for (const ByteRange& part : parts.outputs) {
      graph.outputs.push_back(read_port(parsed<onnx::ValueInfoProto>(part)));
    }
  }

  GraphPort read_port(const onnx::ValueInfoProto& proto) {
    structure_memory_.take(400);
    const auto& type = proto.type().tensor_type();
    GraphPort port{.name = proto.name(),
                   .data_type = type.elem_type(),
                   .element = element_of(type.elem_type()),
                   .dims = {}};
    if (static_cast<std::size_t>(type.shape().dim_size()) > most_dimensions) {
      throw FileRefused{fmt::format("`{}` has too many dimensions", proto.name())};
    }
    for (const auto& dim : type.shape().dim()) {
      port.dims.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value() : -1);
    }
    port.tensor = proto.type().has_tensor_type();
    if (port.tensor) {
      port.type = type_name(type.elem_type());
    } else if (proto.type().has_sequence_type()) {
      port.type =
          proto.type().sequence_type().elem_type().has_map_type() ? "sequence of maps" : "sequence";
    } else {
      port.type = proto.type().has_map_type() ? "map" : "of another type";
    }
    return port;
  }

  std::string tensor_name(ByteRange message) {
    std::string name;
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.holds(onnx::TensorProto::kNameFieldNumber)) name = short_text(field.bytes);
    }
    return name;
  }

  /// A node without its attributes.
  GraphNode read_outline(ByteRange message) {
    using Proto = onnx::NodeProto;
    GraphNode node;
    std::string domain;
    std::uint64_t attributes = 0;
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.type != WireType::Bytes) continue;
      switch (field.number) {
        case Proto::kInputFieldNumber:
        case Proto::kOutputFieldNumber:
          // Of what a hostile one may say; none is kept before all are checked.
          if (node.inputs.size() + node.outputs.size() > most_node_names) {
            throw FileRefused{"a node of it has too many inputs"};
          }
          (field.number == Proto::kInputFieldNumber ? node.inputs : node.outputs)
              .push_back(short_text(field.bytes));
          break;
        case Proto::kNameFieldNumber:
          node.name = short_text(field.bytes);
          break;
        case Proto::kOpTypeFieldNumber:
          node.op = short_text(field.bytes);
          break;
        case Proto::kDomainFieldNumber:
          domain = short_text(field.bytes);
          break;
        case Proto::kAttributeFieldNumber:
          attributes += field.bytes.size();
          break;
        default:
          break;
      }
    }
    if (node.name.empty() && !node.outputs.empty()) node.name = node.outputs.front();
    if (node.op.empty()) {
      throw FileRefused{fmt::format("its node `{}` names no operator", node.name)};
    }
    if (!domain.empty() && domain != "ai.onnx") node.op = domain + "." + node.op;
    outline_bytes_ = attributes;
    return node;
  }

  struct Domains {
    bool own = false;
    bool ml = false;
  };

  /// `inside`: what the graph inside another one defines by itself; null: this is the outer one.
  void check_node(ByteRange message, Domains& used, std::vector<std::uint64_t>* inside,
                  std::size_t depth) {
    const GraphNode node = read_outline(message);
    attribute_bytes_ += outline_bytes_;
    for (const std::string& name : node.inputs) {
      if (name.empty()) continue;
      if (!defined(name)) {
        throw FileRefused{
            fmt::format("node `{}` reads `{}`, which nothing before it defines", node.name, name)};
      }
      structure_memory_.take(NameReads::bytes_each);
      if (inside == nullptr) {
        reads_.add(name);
      } else {
        reads_.add_for_ever(name);
      }
    }
    for (const ByteRange& inner : inner_graphs(message, node)) check_inner(inner, used, depth + 1);
    for (const std::string& name : node.outputs) {
      if (name.empty()) continue;
      if (inside == nullptr) {
        define(name);
      } else {
        define_inside(name, *inside);
      }
    }
    used.own = used.own || !node.op.contains('.');
    used.ml = used.ml || node.op.starts_with(ml_domain);
    if (unknown_ == UnknownOperators::Refused && find_operator(node.op) == nullptr) {
      throw FileRefused{.reason = unsupported_text(node),
                        .help = unsupported_help,
                        .code = DiagnosticCode::K0404};
    }
  }

  void define_inside(std::string_view name, std::vector<std::uint64_t>& inside) {
    const std::uint64_t hash = name_hash(name);
    if (!known_.contains(hash) && known_inside_.insert(hash).second) inside.push_back(hash);
    if (known_inside_.size() > most_names) throw FileRefused{"it defines too many names"};
  }

  static bool has_graphs(const GraphNode& node) {
    return node.op == "If" || node.op == "Loop" || node.op == "Scan";
  }

  std::vector<ByteRange> inner_graphs(ByteRange message, const GraphNode& node) {
    std::vector<ByteRange> graphs;
    if (!has_graphs(node)) return graphs;
    WireReader attributes(file_, message);
    for (WireField attribute; attributes.next(attribute);) {
      if (!attribute.holds(onnx::NodeProto::kAttributeFieldNumber)) continue;
      WireReader wire(file_, attribute.bytes);
      for (WireField field; wire.next(field);) {
        if (!field.holds(onnx::AttributeProto::kGFieldNumber)) continue;
        structure_memory_.take(200);
        graphs.push_back(field.bytes);
      }
    }
    return graphs;
  }

  /// A branch, or a loop's turn. What it defines is known inside only.
  void check_inner(ByteRange message, Domains& used, std::size_t depth) {
    if (depth > most_depth) throw FileRefused{"its graphs are nested too deep"};
    GraphParts parts;
    find_parts(message, parts);
    inner_nodes_ += parts.nodes;
    if (inner_nodes_ > most_nodes) {
      throw FileRefused{fmt::format("it has more than {} nodes", most_nodes)};
    }
    std::vector<std::uint64_t> inside;
    for (const ByteRange& part : parts.initializers) define_inside(tensor_name(part), inside);
    for (const ByteRange& part : parts.inputs) define_inside(port_name(part), inside);
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.holds(onnx::GraphProto::kNodeFieldNumber)) {
        check_node(field.bytes, used, &inside, depth);
      }
    }
    for (const ByteRange& part : parts.outputs) {
      const std::string name = port_name(part);
      if (!defined(name)) {
        throw FileRefused{fmt::format("nothing defines the output `{}` of a graph in it", name)};
      }
      reads_.add_for_ever(name);
    }
    for (const std::uint64_t hash : inside) known_inside_.erase(hash);
  }

  std::string port_name(ByteRange message) {
    std::string name;
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.holds(onnx::ValueInfoProto::kNameFieldNumber)) name = short_text(field.bytes);
    }
    return name;
  }

  void check_nodes(const GraphParts& parts, const Graph& graph) {
    Domains used;
    for (const ByteRange& part : parts.graphs) {
      WireReader wire(file_, part);
      for (WireField field; wire.next(field);) {
        if (field.holds(onnx::GraphProto::kNodeFieldNumber)) {
          check_node(field.bytes, used, nullptr, 0);
        }
      }
    }
    for (const GraphPort& output : graph.outputs) {
      if (!defined(output.name)) {
        throw FileRefused{fmt::format("nothing defines its output `{}`", output.name)};
      }
      reads_.add_for_ever(output.name);
    }
    reads_.sum_up();
    // Models of trees alone may name the version of ai.onnx.ml only.
    if (used.own) check_version(graph, "ai.onnx", oldest_opset, newest_opset);
    if (used.ml) check_version(graph, std::string(ml_domain), 1, newest_ml_opset);
    known_ = {};
  }

  static void check_version(const Graph& graph, const std::string& domain, std::int64_t oldest,
                            std::int64_t newest) {
    const auto found = graph.origin.opsets.find(domain);
    if (found == graph.origin.opsets.end()) {
      throw FileRefused{fmt::format("it names no version of the operators of `{}`", domain)};
    }
    if (found->second >= oldest && found->second <= newest) return;
    throw FileRefused{
        .reason = fmt::format("the model uses version {} of the operators of `{}`, and {} to {} "
                              "are executed",
                              found->second, domain, oldest, newest),
        .help = fmt::format("export it again with one of these, `opset_version={}` or the like",
                            std::min<std::int64_t>(newest, 20)),
        .code = DiagnosticCode::K0404};
  }

  // --- what is kept -----------------------------------------------------------------------------

  void read_initializers(const GraphParts& parts, Graph& graph) {
    for (const ByteRange& part : parts.initializers) {
      Tensor tensor = weights_.read(part);
      graph.initializers.emplace(tensor_name(part), std::move(tensor));
    }
  }

  /// As checked by `check_inner`.
  std::shared_ptr<const Graph> read_inner(ByteRange message) {
    GraphParts parts;
    find_parts(message, parts);
    Graph graph;
    read_initializers(parts, graph);
    for (const auto& [from, to] :
         {std::pair{&parts.inputs, &graph.inputs}, {&parts.outputs, &graph.outputs}}) {
      for (const ByteRange& part : *from) {
        structure_memory_.take(400);
        GraphPort port{.name = port_name(part), .dims = {}};
        const bool is_input = to == &graph.inputs;
        if (is_input && graph.initializers.contains(port.name)) continue;
        to->push_back(std::move(port));
      }
    }
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.holds(onnx::GraphProto::kNodeFieldNumber)) {
        graph.nodes.push_back(read_node(field.bytes));
      }
    }
    return std::make_shared<const Graph>(std::move(graph));
  }

  GraphNode read_node(ByteRange message) {
    GraphNode node = read_outline(message);
    structure_memory_.take(sizeof(GraphNode) + node.name.size() + node.op.size());
    for (const auto* names : {&node.inputs, &node.outputs}) {
      for (const std::string& name : *names) {
        structure_memory_.take(sizeof(std::string) + name.size());
      }
    }
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      if (field.holds(onnx::NodeProto::kAttributeFieldNumber)) read_attribute(field.bytes, node);
    }
    return node;
  }

  /// What no executed operator has is passed over: it is never parsed.
  void read_attribute(ByteRange message, GraphNode& node) {
    using Proto = onnx::AttributeProto;
    std::string name;
    Attribute to;
    const auto take = [&](std::uint64_t bytes) { structure_memory_.take(bytes); };
    take(sizeof(Attribute) + 64);
    WireReader wire(file_, message);
    for (WireField field; wire.next(field);) {
      switch (field.number) {
        case Proto::kNameFieldNumber:
          if (field.type == WireType::Bytes) name = short_text(field.bytes);
          break;
        case Proto::kFFieldNumber:
          to.number = std::bit_cast<float>(static_cast<std::uint32_t>(field.value));
          break;
        case Proto::kIFieldNumber:
          to.integer = static_cast<std::int64_t>(field.value);
          break;
        case Proto::kSFieldNumber:
          if (field.type == WireType::Bytes) to.text = short_text(field.bytes);
          break;
        case Proto::kTFieldNumber:
          if (field.type == WireType::Bytes) to.tensor = weights_.read(field.bytes);
          break;
        case Proto::kGFieldNumber:
          if (field.type == WireType::Bytes && has_graphs(node)) to.graph = read_inner(field.bytes);
          break;
        case Proto::kFloatsFieldNumber:
          if (field.type == WireType::Bytes) {
            if (field.bytes.size() % sizeof(float) != 0) throw damaged();
            const std::size_t held = to.numbers.size();
            take(field.bytes.size());
            to.numbers.resize(held + field.bytes.size() / sizeof(float));
            file_.read(field.bytes.start,
                       std::as_writable_bytes(std::span(to.numbers).subspan(held)));
          } else {
            take(sizeof(float));
            to.numbers.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(field.value)));
          }
          break;
        case Proto::kIntsFieldNumber:
          if (field.type == WireType::Bytes) {
            WireReader packed(file_, field.bytes);
            while (!packed.at_end()) {
              take(sizeof(std::int64_t));
              to.integers.push_back(static_cast<std::int64_t>(packed.varint()));
            }
          } else {
            take(sizeof(std::int64_t));
            to.integers.push_back(static_cast<std::int64_t>(field.value));
          }
          break;
        case Proto::kStringsFieldNumber: {
          if (field.type != WireType::Bytes) throw damaged();
          std::string text = short_text(field.bytes);
          const std::size_t size = text.size();
          take(to.texts.add(std::move(text)) ? size + 96 : sizeof(const std::string*));
          break;
        }
        default:
          break;
      }
    }
    if (name == "nodes_hitrates") return;  // as large as the trees, and nobody reads them
    to.integers.shrink_to_fit();
    to.numbers.shrink_to_fit();
    if (!node.attributes.emplace(name, std::move(to)).second) {
      throw FileRefused{fmt::format("node `{}` has the attribute `{}` twice", node.name, name)};
    }
  }

  // --- pieces -----------------------------------------------------------------------------------

  std::string short_text(ByteRange range) {
    if (range.size() > most_text_bytes) throw FileRefused{"it has a name of more than 64 KiB"};
    return file_.text(range);
  }

  template <class Proto>
  Proto parsed(ByteRange range) {
    Proto proto;
    if (!proto.ParseFromString(short_text(range))) throw damaged();
    return proto;
  }

  static constexpr std::size_t most_node_names = 100'000;

  std::string path_;
  FileBytes file_;
  UnknownOperators unknown_;
  MemoryMeter weights_memory_;
  MemoryMeter structure_memory_;
  MemoryMeter weights_before_nodes_ = weights_memory_;
  MemoryMeter structure_before_nodes_ = structure_memory_;
  WeightReader weights_;
  NameSet known_;
  std::unordered_set<std::uint64_t>
      known_inside_;  // of graphs in the graph, while they are gone through
  NameReads reads_;
  std::vector<ByteRange> graphs_;      // of which the model's is made
  std::uint64_t outline_bytes_ = 0;    // of the last node's attributes
  std::uint64_t attribute_bytes_ = 0;  // of all nodes
  std::uint64_t inner_nodes_ = 0;
};

}  // namespace

std::expected<Graph, Issue> read_onnx(const std::string& path, std::uint64_t budget,
                                      UnknownOperators unknown,
                                      std::vector<std::string>* outside_files) {
  try {
    const auto reader = std::make_shared<Reader>(path, budget, unknown);
    Graph graph = reader->read();
    if (outside_files != nullptr) *outside_files = reader->outside_files();
    graph.source = reader;
    return graph;
  } catch (const FileRefused& refused) {
    return std::unexpected(file_issue(path, refused));
  }
}

}  // namespace kaspar::nodes
