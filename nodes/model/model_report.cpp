#include "nodes/model/model_report.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <random>
#include <span>
#include <string_view>
#include <utility>

#include "nodes/model/compile.hpp"
#include "nodes/model/onnx_file.hpp"
#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::array<std::size_t, 3> measured_batches{1, 64, 256};
constexpr std::size_t most_rows = 512;
constexpr std::size_t most_values = 1u << 22;  // of all rows
constexpr std::chrono::milliseconds enough{60};

std::uint64_t parameters_of(const Graph& graph) {
  std::uint64_t count = 0;
  for (const auto& [name, tensor] : graph.initializers) count += tensor.size();
  graph.each_node([&](const GraphNode& node) {
    for (const auto& [name, attribute] : node.attributes) {
      count += attribute.numbers.size();
      if (attribute.tensor) count += attribute.tensor->size();
    }
  });
  return count;
}

/// Runs a program on random records.
class Measurement {
 public:
  explicit Measurement(const Program& program) : program_(program), memory_(program.make_memory()) {
    std::size_t width = 1;
    for (const ProgramInput& input : program.inputs) width += input.width;
    rows_ = std::clamp<std::size_t>(most_values / width, lanes, most_rows);
    std::mt19937 random(1);
    std::uniform_real_distribution<double> number(-1, 1);
    values_.resize(rows_ * (width - 1));
    for (double& value : values_) value = number(random);
  }

  /// Nanoseconds a record in batches of that many.
  double cost(std::size_t batch) {
    using Clock = std::chrono::steady_clock;
    std::size_t records = 0;
    run(batch);  // fills the caches
    const auto start = Clock::now();
    Clock::duration spent{};
    while (spent < enough) {
      run(batch);
      records += batch;
      spent = Clock::now() - start;
    }
    return std::chrono::duration<double, std::nano>(spent).count() / static_cast<double>(records);
  }

 private:
  void run(std::size_t batch) {
    for (std::size_t done = 0; done < batch; done += lanes) {
      const std::size_t taken = std::min(lanes, batch - done);
      for (std::size_t lane = 0; lane < taken; ++lane) load(lane);
      program_.run(memory_.lanes());
    }
  }

  void load(std::size_t lane) {
    static constexpr std::array<std::string_view, 4> words{"a", "b", "c", "d"};
    const std::size_t width = values_.size() / rows_;
    const double* from = values_.data() + row_ * width;
    row_ = (row_ + 1) % rows_;
    for (const ProgramInput& input : program_.inputs) {
      with_lane_type(input.element, [&]<class T>(T) {
        T* to = memory_.lanes().lanes_at<T>(input.first) + lane;
        for (std::size_t i = 0; i < input.width; ++i) {
          const double value = *from++;
          if constexpr (std::is_same_v<T, std::string_view>) {
            to[i * lanes] = words[value < 0 ? 0 : 1];
          } else if (input.element == Element::Bool) {
            to[i * lanes] = static_cast<T>(value < 0 ? 0 : 1);
          } else {
            to[i * lanes] = static_cast<T>(value);
          }
        }
      });
    }
  }

  const Program& program_;
  ProgramMemory memory_;
  std::size_t rows_ = 0;
  std::vector<double> values_;
  std::size_t row_ = 0;
};

/// Every node that is refused. The file is read anew: what was compiled is not whole.
std::vector<Issue> refused_nodes(const std::string& path, std::size_t memory_budget,
                                 std::span<const std::size_t> widths) {
  const auto graph = read_onnx(path, memory_budget, UnknownOperators::Kept);
  return graph ? find_refused_nodes(*graph, widths) : std::vector{graph.error()};
}

void run_model(const std::string& path, Graph& graph, std::size_t memory_budget,
               ModelReport& report) {
  std::vector<std::size_t> widths;
  for (const GraphPort& input : graph.inputs) widths.push_back(natural_width(input));
  if (std::ranges::count(widths, 0U) != 0) {  // an `apply` says how wide they are
    graph.each_node([&](const GraphNode& node) {
      if (find_operator(node.op) != nullptr || report.problems.size() == 1000) return;
      report.problems.push_back({.code = DiagnosticCode::K0404,
                                 .place = {.name = node.name},
                                 .message = unsupported_text(node),
                                 .help = unsupported_help});
    });
    return;
  }
  const auto program = compile_and_consume(graph, widths);
  if (!program) {
    report.problems = refused_nodes(path, memory_budget, widths);
    if (report.problems.empty()) report.problems.push_back(program.error());
    return;
  }
  if (program->memory_bytes() > memory_budget) {
    report.problems.push_back(too_much_memory(*program, memory_budget));
    return;
  }
  Measurement measurement(*program);
  auto& run = report.run.emplace();
  run.remarks = program->remarks;
  run.thread_bytes = program->memory_bytes();
  for (const std::size_t batch : measured_batches) {
    run.costs.push_back({.batch = batch, .nanoseconds = measurement.cost(batch)});
  }
}

}  // namespace

ModelReport describe_model(const std::string& path, std::size_t memory_budget) {
  ModelReport report;
  auto graph = read_onnx(path, memory_budget, UnknownOperators::Kept);
  if (!graph) {
    report.problems.push_back(graph.error());
    return report;
  }
  report.origin = graph->origin;
  report.inputs = graph->inputs;
  report.outputs = graph->outputs;
  report.weight_bytes = graph->bytes;
  try {
    graph->each_node([&](const GraphNode& node) { ++report.operators[node.op]; });
    report.parameters = parameters_of(*graph);
    run_model(path, *graph, memory_budget, report);
  } catch (const GraphRefused& refused) {
    report.problems = {refused.issue};
  }
  return report;
}

std::string type_text(const GraphPort& port) {
  return port.tensor ? port.type + shape_text(port) : port.type;
}

}  // namespace kaspar::nodes
