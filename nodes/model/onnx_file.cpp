#include "nodes/model/onnx_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <onnx-ml.pb.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <limits>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "nodes/model/onnx_wire.hpp"

namespace kaspar::nodes {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

constexpr std::size_t largest_file = std::size_t{128} << 20;   // the .onnx file
constexpr std::size_t largest_weights = std::size_t{1} << 30;  // all tensors together
constexpr std::size_t most_wire_fields = 500'000;
constexpr std::size_t most_nodes = 100'000;
constexpr int most_dimensions = 16;
constexpr std::size_t most_depth = 8;  // of graphs in graphs

struct Refused {
  std::string reason;
  std::string help = {};
};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// Bytes [offset, offset + length) of a regular file; the whole file if there is no length.
std::string read_file(const std::string& path, std::size_t offset,
                      std::optional<std::size_t> length, std::size_t largest) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) {
    throw Refused{
        errno == ENOENT ? "there is no such file" : std::generic_category().message(errno),
        "paths are relative to the pipeline file"};
  }
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) throw Refused{std::generic_category().message(errno)};
  if (!S_ISREG(status.st_mode)) throw Refused{"it is not a regular file"};
  const auto size = static_cast<std::size_t>(status.st_size);
  if (offset > size) throw Refused{fmt::format("`{}` ends before offset {}", path, offset)};
  const std::size_t wanted = length.value_or(size - offset);
  if (wanted > size - offset) {
    throw Refused{
        fmt::format("`{}` has {} bytes, {} are wanted from offset {}", path, size, wanted, offset)};
  }
  if (wanted > largest) {
    throw Refused{fmt::format("{} bytes are more than the {} that are taken", wanted, largest)};
  }
  std::string bytes(wanted, '\0');
  std::size_t done = 0;
  while (done < wanted) {
    const ssize_t got =
        ::pread(file.get(), bytes.data() + done, wanted - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Refused{std::generic_category().message(errno)};
    if (got == 0) throw Refused{"it ended while it was read"};
    done += static_cast<std::size_t>(got);
  }
  return bytes;
}

std::size_t parse_size(const std::string& text, const char* what) {
  if (text.empty() || text.size() > 18 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    throw Refused{fmt::format("its external data has a bad {}: `{}`", what, text.substr(0, 40))};
  }
  return std::stoull(text);
}

std::optional<Element> element_of(std::int32_t data_type) {
  using Data = onnx::TensorProto;
  switch (data_type) {
    case Data::FLOAT:
      return Element::F32;
    case Data::DOUBLE:
      return Element::F64;
    case Data::INT64:
    case Data::INT32:
    case Data::INT16:
    case Data::INT8:
    case Data::UINT32:
    case Data::UINT16:
    case Data::UINT8:
      return Element::I64;
    case Data::BOOL:
      return Element::Bool;
    case Data::STRING:
      return Element::String;
    default:
      return std::nullopt;
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  Graph read() {
    const std::string bytes = read_file(path_, 0, std::nullopt, largest_file);
    const auto fields = count_wire_fields(bytes);
    onnx::ModelProto model;
    if (!fields) throw Refused{"it is damaged or no ONNX file"};
    if (*fields > most_wire_fields) {
      throw Refused{fmt::format("it has more than {} parts", most_wire_fields)};
    }
    if (!model.ParseFromString(bytes)) throw Refused{"it is damaged or no ONNX file"};
    if (!model.has_graph()) throw Refused{"it has no graph"};
    Graph graph;
    for (const auto& opset : model.opset_import()) {
      if (opset.domain().empty() || opset.domain() == "ai.onnx") graph.opset = opset.version();
    }
    read_graph(model.graph(), graph);
    // Models of trees alone may name the version of ai.onnx.ml only.
    const bool own = std::ranges::any_of(
        graph.nodes, [](const GraphNode& node) { return !node.op.contains('.'); });
    if (own && graph.opset < 1) throw Refused{"it names no version of ONNX's operators"};
    graph.bytes = weights_;
    return graph;
  }

 private:
  void read_graph(const onnx::GraphProto& proto, Graph& graph) {
    read_content(proto, graph);
    for (const auto& input : proto.input()) {
      if (!graph.initializers.contains(input.name())) graph.inputs.push_back(read_port(input));
    }
    for (const auto& output : proto.output()) {
      GraphPort port;
      port.name = output.name();
      port.data_type = output.type().tensor_type().elem_type();
      port.element = element_of(port.data_type);
      graph.outputs.push_back(std::move(port));
    }
    if (graph.inputs.empty()) throw Refused{"it has no input"};
    if (graph.outputs.empty()) throw Refused{"it has no output"};
    check_names(graph);
  }

  /// `outside`: what the graphs around this one define before it.
  static void check_names(const Graph& graph,
                          std::vector<const std::set<std::string_view>*> outside = {}) {
    std::set<std::string_view> known;
    const auto is_known = [&](const std::string& name) {
      return known.contains(name) ||
             std::ranges::any_of(outside, [&](const auto* names) { return names->contains(name); });
    };
    outside.push_back(&known);
    for (const auto& [name, tensor] : graph.initializers) known.insert(name);
    for (const GraphPort& input : graph.inputs) {
      if (!known.insert(input.name).second) {
        throw Refused{fmt::format("it defines `{}` twice", input.name)};
      }
    }
    for (const GraphNode& node : graph.nodes) {
      for (const std::string& name : node.inputs) {
        if (!name.empty() && !is_known(name)) {
          throw Refused{fmt::format("node `{}` reads `{}`, which nothing before it defines",
                                    node.name, name)};
        }
      }
      for (const auto& [name, attribute] : node.attributes) {
        if (attribute.graph != nullptr) check_names(*attribute.graph, outside);
      }
      for (const std::string& name : node.outputs) {
        if (!name.empty() && !known.insert(name).second) {
          throw Refused{fmt::format("it defines `{}` twice", name)};
        }
      }
    }
    for (const GraphPort& output : graph.outputs) {
      if (!is_known(output.name)) {
        throw Refused{fmt::format("nothing defines its output `{}`", output.name)};
      }
    }
  }

  static GraphPort read_port(const onnx::ValueInfoProto& proto) {
    if (!proto.type().has_tensor_type() || !proto.type().tensor_type().has_shape()) {
      throw Refused{fmt::format("its input `{}` is no tensor with a shape", proto.name())};
    }
    const auto& type = proto.type().tensor_type();
    GraphPort port{.name = proto.name(),
                   .data_type = type.elem_type(),
                   .element = element_of(type.elem_type()),
                   .dims = {}};
    if (type.shape().dim_size() > most_dimensions) {
      throw Refused{fmt::format("its input `{}` has too many dimensions", proto.name())};
    }
    for (const auto& dim : type.shape().dim()) {
      port.dims.push_back(dim.has_dim_value() && dim.dim_value() > 0 ? dim.dim_value() : -1);
    }
    return port;
  }

  /// A branch, or a loop's turn.
  std::shared_ptr<const Graph> read_inner(const onnx::GraphProto& proto) {
    if (++depth_ > most_depth) throw Refused{"its graphs are nested too deep"};
    Graph graph;
    read_content(proto, graph);
    for (const auto& input : proto.input()) {
      if (!graph.initializers.contains(input.name()))
        graph.inputs.push_back({.name = input.name(), .dims = {}});
    }
    for (const auto& output : proto.output())
      graph.outputs.push_back({.name = output.name(), .dims = {}});
    --depth_;
    return std::make_shared<const Graph>(std::move(graph));
  }

  /// Weights and nodes.
  void read_content(const onnx::GraphProto& proto, Graph& graph) {
    if (proto.sparse_initializer_size() != 0) throw Refused{"it has sparse weights"};
    nodes_ += static_cast<std::size_t>(proto.node_size());
    if (nodes_ > most_nodes) throw Refused{fmt::format("it has more than {} nodes", most_nodes)};
    for (const auto& tensor : proto.initializer()) {
      if (!graph.initializers.emplace(tensor.name(), read_tensor(tensor)).second) {
        throw Refused{fmt::format("it defines `{}` twice", tensor.name())};
      }
    }
    for (const auto& node : proto.node()) graph.nodes.push_back(read_node(node));
  }

  GraphNode read_node(const onnx::NodeProto& proto) {
    GraphNode node;
    const bool own = proto.domain().empty() || proto.domain() == "ai.onnx";
    node.op = own ? proto.op_type() : proto.domain() + "." + proto.op_type();
    node.name = proto.name();
    node.inputs.assign(proto.input().begin(), proto.input().end());
    node.outputs.assign(proto.output().begin(), proto.output().end());
    if (node.name.empty() && !node.outputs.empty()) node.name = node.outputs.front();
    for (const auto& from : proto.attribute()) {
      Attribute to;
      to.integer = from.i();
      to.number = from.f();
      to.text = from.s();
      to.integers.assign(from.ints().begin(), from.ints().end());
      to.numbers.assign(from.floats().begin(), from.floats().end());
      to.texts.assign(from.strings().begin(), from.strings().end());
      if (from.has_t()) {
        to.tensor = read_tensor(from.t());
      }
      if (from.has_g()) to.graph = read_inner(from.g());
      node.attributes.emplace(from.name(), std::move(to));
    }
    return node;
  }

  Tensor read_tensor(const onnx::TensorProto& proto) {
    Tensor tensor;
    if (proto.dims_size() > most_dimensions) throw refuse(proto, "has too many dimensions");
    std::size_t count = 1;
    bool empty = false;
    for (const std::int64_t dim : proto.dims()) {
      if (dim < 0) throw refuse(proto, "has a negative dimension");
      tensor.dims.push_back(dim);
      if (dim == 0) empty = true;
    }
    if (empty) count = 0;
    for (const std::int64_t dim : proto.dims()) {
      if (empty) break;
      if (static_cast<std::size_t>(dim) > largest_weights / count) {
        throw refuse(proto, "is too large");
      }
      count *= static_cast<std::size_t>(dim);
    }
    // Eight bytes an element is what an integer takes here; a half-filled budget cannot overflow.
    if (count > (largest_weights - weights_) / 8) throw refuse(proto, "is too large");
    if (proto.has_segment()) throw refuse(proto, "comes in segments");

    const bool external = proto.data_location() == onnx::TensorProto::EXTERNAL;
    std::string outside;
    const std::string* raw = nullptr;
    if (external) {
      outside = read_external(proto);
      raw = &outside;
    } else if (proto.has_raw_data()) {
      raw = &proto.raw_data();
    }
    using Data = onnx::TensorProto;
    switch (proto.data_type()) {
      case Data::FLOAT:
        fill<float, float>(proto, tensor, raw, proto.float_data(), count);
        break;
      case Data::DOUBLE:
        fill<double, double>(proto, tensor, raw, proto.double_data(), count);
        break;
      case Data::INT64:
        fill<std::int64_t, std::int64_t>(proto, tensor, raw, proto.int64_data(), count);
        break;
      case Data::INT32:
        fill<std::int32_t, std::int64_t>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::INT16:
        fill<std::int16_t, std::int64_t>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::INT8:
        fill<std::int8_t, std::int64_t>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::UINT16:
        fill<std::uint16_t, std::int64_t>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::UINT8:
        fill<std::uint8_t, std::int64_t>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::UINT32:
        fill<std::uint32_t, std::int64_t>(proto, tensor, raw, proto.uint64_data(), count);
        break;
      case Data::BOOL:
        fill<std::uint8_t, float>(proto, tensor, raw, proto.int32_data(), count);
        break;
      case Data::STRING:
        fill_strings(proto, tensor, count);
        break;
      default:
        throw refuse(
            proto, fmt::format("has the data type {}, which is not supported", proto.data_type()));
    }
    tensor.element = element_of(proto.data_type()).value();
    weights_ += count * 8;
    return tensor;
  }

  template <class Stored, class To, class Field>
  static void fill(const onnx::TensorProto& proto, Tensor& tensor, const std::string* raw,
                   const Field& field, std::size_t count) {
    const std::size_t held =
        raw != nullptr ? raw->size() : static_cast<std::size_t>(field.size()) * sizeof(Stored);
    if (held != count * sizeof(Stored)) {
      throw refuse(proto, fmt::format("holds {} bytes where its shape wants {}", held,
                                      count * sizeof(Stored)));
    }
    std::vector<To> to(count);
    const bool flags = proto.data_type() == onnx::TensorProto::BOOL;
    for (std::size_t i = 0; i < count; ++i) {
      Stored value{};
      if (raw != nullptr) {
        std::memcpy(&value, raw->data() + i * sizeof(Stored), sizeof(Stored));
      } else {
        value = static_cast<Stored>(field.Get(static_cast<int>(i)));
      }
      to[i] = static_cast<To>(flags ? static_cast<Stored>(value != 0) : value);
    }
    tensor.held = std::make_shared<const Values>(std::move(to));
  }

  void fill_strings(const onnx::TensorProto& proto, Tensor& tensor, std::size_t count) {
    if (static_cast<std::size_t>(proto.string_data_size()) != count) {
      throw refuse(proto, fmt::format("holds {} strings where its shape wants {}",
                                      proto.string_data_size(), count));
    }
    std::vector<std::string> to(proto.string_data().begin(), proto.string_data().end());
    for (const std::string& value : to) weights_ += value.size() + sizeof(std::string);
    tensor.held = std::make_shared<const Values>(std::move(to));
  }

  std::string read_external(const onnx::TensorProto& proto) const {
    namespace fs = std::filesystem;
    std::string location;
    std::size_t offset = 0;
    std::optional<std::size_t> length;
    for (const auto& entry : proto.external_data()) {
      if (entry.key() == "location") location = entry.value();
      if (entry.key() == "offset") offset = parse_size(entry.value(), "offset");
      if (entry.key() == "length") length = parse_size(entry.value(), "length");
    }
    const fs::path relative = fs::path(location).lexically_normal();
    if (location.empty() || location.find('\0') != std::string::npos || relative == ".") {
      throw refuse(proto, "names no file for its external data");
    }
    const auto outside = [&](std::string_view how) {
      return refuse(proto, fmt::format("is in `{}`, {} the model's folder", location, how),
                    "weights are read only from the folder that the model is in");
    };
    if (relative.is_absolute() || *relative.begin() == "..") throw outside("outside");
    std::error_code error;
    const fs::path model = fs::canonical(path_, error);
    if (error) throw Refused{error.message()};
    // Both the folder where the file was named and the one where it really is would be plausible;
    // links must not lead out of the latter.
    const fs::path folder = model.parent_path();
    const fs::path file = fs::canonical(folder / relative, error);
    if (error) {
      throw refuse(
          proto,
          fmt::format("is in `{}`{}", location,
                      error == std::errc::no_such_file_or_directory ? ", and there is no such file"
                                                                    : ": " + error.message()),
          fmt::format("put `{}`, which the exporter wrote, beside the model", location));
    }
    const auto [end, unused] =
        std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
    if (end != folder.end()) throw outside("a link to outside");
    try {
      return read_file(file.string(), offset, length, largest_weights - weights_);
    } catch (const Refused& refused) {
      throw refuse(proto, fmt::format("is in `{}`: {}", location, refused.reason),
                   fmt::format("export the model again, or copy all of `{}`", location));
    }
  }

  static Refused refuse(const onnx::TensorProto& proto, std::string_view why,
                        std::string help = {}) {
    return {fmt::format("its tensor `{}` {}", proto.name(), why), std::move(help)};
  }

  const std::string& path_;
  std::size_t weights_ = 0;
  std::size_t nodes_ = 0;
  std::size_t depth_ = 0;
};

}  // namespace

std::expected<Graph, Issue> read_onnx(const std::string& path) {
  try {
    return Reader(path).read();
  } catch (const Refused& refused) {
    Issue issue;
    issue.code = DiagnosticCode::K0405;
    issue.place.part = IssuePlace::Part::File;
    issue.message = fmt::format("cannot use model `{}`: {}", path, refused.reason);
    issue.help = refused.help;
    return std::unexpected(std::move(issue));
  }
}

}  // namespace kaspar::nodes
