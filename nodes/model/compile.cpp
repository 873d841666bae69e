#include "nodes/model/compile.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "nodes/model/graph_lowering.hpp"
#include "nodes/model/memory_meter.hpp"
#include "nodes/model/node_lowering.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

void add_input(NodeLowering& lowering, const GraphPort& port, std::size_t width, InputBatch kind) {
  const std::string shape = shape_text(port);
  const auto wrong = [&](const std::string& why, std::string help = {}) {
    lowering.refuse(DiagnosticCode::K0401,
                    fmt::format("the model's input `{}` of shape {} {}", port.name, shape, why),
                    std::move(help));
  };
  if (!port.element) wrong(fmt::format("is of data type {}, which is not taken", port.data_type));
  Dims dims = port.dims;
  std::size_t batch = dims.size();
  std::size_t solved = dims.size();
  std::size_t product = 1;
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] > 0 || (dims[i] == 0 && kind == InputBatch::Kept)) {
      if (product != 0 && static_cast<std::size_t>(dims[i]) > most_registers / product) {
        wrong("is too large");
      }
      product *= static_cast<std::size_t>(dims[i]);
    } else if (batch == dims.size()) {
      batch = i;
    } else if (solved == dims.size()) {
      solved = i;
    } else {
      wrong("has too many free dimensions");
    }
  }
  std::string note;
  if (kind == InputBatch::Kept) {
    if (batch != dims.size()) wrong("has free dimensions");
  } else if (batch == dims.size()) {
    // The second: [60,1,1], a sequence-first model exported for one record.
    if (!dims.empty() && dims[0] == 1) {
      note = "its fixed first dimension of 1 is the batch";
    } else if (dims.size() == 3 && dims[1] == 1) {
      note = "its fixed second dimension of 1 is the batch";
    } else {
      wrong("has no batch dimension",
            "export it with a batch of 1, or with a free one: `dynamic_axes` or `dynamic_shapes`");
    }
  } else {
    dims[batch] = 1;
    note = fmt::format("dimension {} is the batch", batch);
  }
  if (solved != dims.size()) {
    if (width == 0 || width % product != 0) {
      wrong(fmt::format("cannot take {} values a record", width));
    }
    dims[solved] = static_cast<std::int64_t>(width / product);
    note += fmt::format(", dimension {} is {}", solved, dims[solved]);
  } else if (product != width) {
    wrong(fmt::format("takes {} values a record, not {}", product, width),
          port.element == Element::String
              ? "export it with an input of shape [N,1] for each column of strings"
              : "");
  }
  Tensor tensor = lowering.new_tensor(dims, *port.element);
  lowering.program().inputs.push_back({*port.element, NodeLowering::first_of(tensor), width});
  lowering.program().remarks.push_back(fmt::format("input `{}` {} takes {} value{} a record: {}",
                                                   port.name, shape, width, width == 1 ? "" : "s",
                                                   note));
  lowering.define(port.name, std::move(tensor));
}

void define_inputs(NodeLowering& lowering, const Graph& graph, std::span<const std::size_t> widths,
                   InputBatch batch) {
  for (std::size_t i = 0; i < graph.inputs.size(); ++i) {
    add_input(lowering, graph.inputs[i], widths[i], batch);
  }
}

void define_outputs(NodeLowering& lowering, const Graph& graph) {
  lowering.enter(nullptr);
  for (const GraphPort& port : graph.outputs) {
    const Tensor& tensor = lowering.tensor(port.name);
    const Register first = lowering.contiguous(tensor);
    lowering.program().outputs.push_back(
        {.name = port.name,
         .element = tensor.element,
         .first = first,
         .width = tensor.size(),
         .classes = tensor.classes == nullptr ? Classes{} : *tensor.classes});
  }
}

/// `define_weights` puts the graph's initializers into the lowering.
template <class DefineWeights>
std::expected<Program, Issue> compiled(const Graph& graph, std::span<const std::size_t> widths,
                                       InputBatch batch, DefineWeights define_weights) {
  try {
    NodeLowering lowering(graph.opset, graph.bytes);
    lowering.set_reads(graph.source == nullptr ? reads_of(graph) : graph.reads);
    define_inputs(lowering, graph, widths, batch);
    define_weights(lowering);
    graph.each_node([&](const GraphNode& node) { lower_node(lowering, node); });
    define_outputs(lowering, graph);
    return std::move(lowering.program());
  } catch (const LoweringRefused& refused) {
    return std::unexpected(refused.issue);
  } catch (const GraphRefused& refused) {
    return std::unexpected(refused.issue);
  }
}

}  // namespace

std::vector<Issue> find_refused_nodes(const Graph& graph, std::span<const std::size_t> widths) {
  constexpr std::size_t most = 1000;
  std::vector<Issue> issues;
  NodeLowering lowering(graph.opset, graph.bytes);
  try {
    define_inputs(lowering, graph, widths, InputBatch::Stripped);
    for (const auto& [name, constant] : graph.initializers) lowering.define(name, constant);
    bool goes_on = true;
    graph.each_node([&](const GraphNode& node) {
      const bool follows = std::ranges::any_of(node.inputs, [&](const std::string& name) {
        return !name.empty() && !lowering.defined(name);
      });
      if (!goes_on || (follows && find_operator(node.op) != nullptr)) return;
      try {
        lower_node(lowering, node);
      } catch (const LoweringRefused& refused) {
        issues.push_back(refused.issue);
        goes_on = refused.issue.code == DiagnosticCode::K0404 && issues.size() < most;
      }
    });
  } catch (const LoweringRefused& refused) {
    return {refused.issue};
  } catch (const GraphRefused& refused) {
    issues.push_back(refused.issue);
  }
  return issues;
}

std::expected<Program, Issue> compile(const Graph& graph, std::span<const std::size_t> widths,
                                      InputBatch batch) {
  return compiled(graph, widths, batch, [&](NodeLowering& lowering) {
    for (const auto& [name, constant] : graph.initializers) lowering.define(name, constant);
  });
}

std::expected<Program, Issue> compile_and_consume(Graph& graph,
                                                  std::span<const std::size_t> widths) {
  return compiled(graph, widths, InputBatch::Stripped, [&](NodeLowering& lowering) {
    for (auto& [name, constant] : std::exchange(graph.initializers, {})) {
      lowering.define(name, std::move(constant));
    }
  });
}

std::size_t natural_width(const GraphPort& input) noexcept {
  std::size_t width = 1;
  std::size_t free = 0;
  for (const std::int64_t dim : input.dims) {
    if (dim < 0) {
      ++free;
    } else if (static_cast<std::size_t>(dim) > most_registers / width) {
      return 0;
    } else {
      width *= static_cast<std::size_t>(dim);
    }
  }
  return free > 1 ? 0 : width;
}

Issue too_much_memory(const Program& program, std::size_t budget) {
  return {.code = DiagnosticCode::K0407,
          .place = {},
          .message = fmt::format("the model needs {} to run, and may take {}",
                                 bytes_text(program.memory_bytes()), bytes_text(budget)),
          .label = {},
          .notes = {},
          .help = "give the run a larger `memory_budget` below `[run]` in the profile"};
}

std::string shape_text(const GraphPort& input) {
  std::string out = "[";
  std::size_t free = 0;
  for (std::size_t i = 0; i < input.dims.size(); ++i) {
    if (i != 0) out += ",";
    if (input.dims[i] > 0) {
      out += std::to_string(input.dims[i]);
    } else {
      out += free == 0 ? "N" : fmt::format("N{}", free + 1);
      ++free;
    }
  }
  return out + "]";
}

}  // namespace kaspar::nodes
