// ONNX's own operator cases (Debian's libonnx-testdata: model, inputs, outputs) against what kaspar
// executes: passed, failed or not applicable, by operator.
//
// A case whose graph uses executed operators only must pass, unless the file of exemptions names it
// with a reason; a wrong answer is never exempt, and an exemption without need is a failure too.
#include <fmt/format.h>
#include <onnx-ml.pb.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "nodes/model/compile.hpp"
#include "nodes/model/onnx_file.hpp"
#include "nodes/model/operators.hpp"

namespace {

namespace fs = std::filesystem;
using namespace kaspar;
using namespace kaspar::nodes;

struct Outcome {
  enum class Kind { Passed, Failed, NotApplicable } kind = Kind::Passed;
  std::string why;
};

Outcome failed(std::string why) { return {Outcome::Kind::Failed, std::move(why)}; }
Outcome not_applicable(std::string why) { return {Outcome::Kind::NotApplicable, std::move(why)}; }

std::optional<onnx::TensorProto> read_tensor(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  onnx::TensorProto tensor;
  if (!file || !tensor.ParseFromString(bytes)) return std::nullopt;
  return tensor;
}

/// The numbers of a tensor, whatever holds them; nothing of strings and half floats.
std::optional<std::vector<double>> numbers_of(const onnx::TensorProto& proto) {
  using Data = onnx::TensorProto;
  std::vector<double> out;
  const auto raw = [&]<class T>(T) {
    const std::string& bytes = proto.raw_data();
    for (std::size_t i = 0; i + sizeof(T) <= bytes.size(); i += sizeof(T)) {
      T value;
      std::memcpy(&value, bytes.data() + i, sizeof(T));
      out.push_back(static_cast<double>(value));
    }
  };
  const auto field = [&](const auto& values) { out.assign(values.begin(), values.end()); };
  const bool is_raw = proto.has_raw_data();
  switch (proto.data_type()) {
    case Data::FLOAT:
      is_raw ? raw(float{}) : field(proto.float_data());
      return out;
    case Data::DOUBLE:
      is_raw ? raw(double{}) : field(proto.double_data());
      return out;
    case Data::INT64:
      is_raw ? raw(std::int64_t{}) : field(proto.int64_data());
      return out;
    case Data::INT32:
      is_raw ? raw(std::int32_t{}) : field(proto.int32_data());
      return out;
    case Data::INT16:
      is_raw ? raw(std::int16_t{}) : field(proto.int32_data());
      return out;
    case Data::INT8:
      is_raw ? raw(std::int8_t{}) : field(proto.int32_data());
      return out;
    case Data::UINT32:
      is_raw ? raw(std::uint32_t{}) : field(proto.uint64_data());
      return out;
    case Data::UINT16:
      is_raw ? raw(std::uint16_t{}) : field(proto.int32_data());
      return out;
    case Data::UINT8:
    case Data::BOOL:
      is_raw ? raw(std::uint8_t{}) : field(proto.int32_data());
      return out;
    default:
      return std::nullopt;
  }
}

/// Puts a case's input into lane 0; false if its values are none that are taken.
bool put_input(const ProgramInput& input, const onnx::TensorProto& proto, LaneMemory memory) {
  if (input.element == Element::String) {
    if (static_cast<std::size_t>(proto.string_data_size()) != input.width) return false;
    for (std::size_t i = 0; i < input.width; ++i) {
      memory.lanes_at<std::string_view>(input.first + i * registers_of<std::string_view>)[0] =
          proto.string_data(static_cast<int>(i));
    }
    return true;
  }
  const auto numbers = numbers_of(proto);
  if (!numbers || numbers->size() != input.width) return false;
  with_lane_type(input.element, [&]<class T>(T) {
    if constexpr (!std::is_same_v<T, std::string_view>) {
      for (std::size_t i = 0; i < input.width; ++i) {
        memory.lanes_at<T>(input.first + i * registers_of<T>)[0] = static_cast<T>((*numbers)[i]);
      }
    }
  });
  return true;
}

Outcome compare(const ProgramOutput& output, const onnx::TensorProto& proto, LaneMemory memory) {
  constexpr double relative = 1e-4;
  constexpr double absolute = 1e-5;
  if (output.element == Element::String) {
    if (static_cast<std::size_t>(proto.string_data_size()) != output.width) {
      return failed("another number of strings");
    }
    for (std::size_t i = 0; i < output.width; ++i) {
      const auto is =
          memory.lanes_at<std::string_view>(output.first + i * registers_of<std::string_view>)[0];
      if (is != proto.string_data(static_cast<int>(i))) return failed(fmt::format("`{}`", is));
    }
    return {};
  }
  const auto wanted = numbers_of(proto);
  if (!wanted) return not_applicable("an output that holds no numbers");
  if (wanted->size() != output.width) {
    return failed(fmt::format("{} values, not {}", output.width, wanted->size()));
  }
  return with_lane_type(output.element, [&]<class T>(T) -> Outcome {
    if constexpr (!std::is_same_v<T, std::string_view>) {
      for (std::size_t i = 0; i < output.width; ++i) {
        const auto is =
            static_cast<double>(memory.lanes_at<T>(output.first + i * registers_of<T>)[0]);
        const double must = (*wanted)[i];
        const bool same = is == must || (std::isnan(is) && std::isnan(must)) ||
                          std::abs(is - must) <= absolute + relative * std::abs(must);
        if (!same) return failed(fmt::format("{} is {}, not {}", i, is, must));
      }
    }
    return {};
  });
}

/// A tensor of the case as one that is known.
std::optional<Tensor> known(const onnx::TensorProto& proto, Element element) {
  const Dims dims(proto.dims().begin(), proto.dims().end());
  if (element == Element::String) {
    return known_tensor(
        dims, element,
        std::vector<std::string>(proto.string_data().begin(), proto.string_data().end()));
  }
  auto numbers = numbers_of(proto);
  if (!numbers) return std::nullopt;
  return converted(known_tensor(dims, Element::F64, std::move(*numbers)), element);
}

/// With the inputs from `first_known` on as constants of the model, as exports have shapes and
/// axes.
Outcome run_set(const fs::path& data, Graph graph, std::size_t first_known) {
  std::vector<std::size_t> widths;
  std::vector<onnx::TensorProto> inputs(graph.inputs.size());  // strings are viewed
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto tensor = read_tensor(data / fmt::format("input_{}.pb", i));
    if (!tensor) return not_applicable("an input that is no tensor");
    inputs[i] = std::move(*tensor);
    GraphPort& port = graph.inputs[i];
    port.dims.assign(inputs[i].dims().begin(), inputs[i].dims().end());
    if (i < first_known) {
      widths.push_back(product(port.dims, 0, port.dims.size()));
    } else {
      auto constant = port.element ? known(inputs[i], *port.element) : std::nullopt;
      if (!constant) return not_applicable("an input of a type that is not taken");
      graph.initializers[port.name] = std::move(*constant);
    }
  }
  graph.inputs.resize(std::min(first_known, graph.inputs.size()));
  const auto program = compile(graph, widths, InputBatch::Kept);
  if (!program) return not_applicable(program.error().message);
  const ProgramMemory held = program->make_memory();
  const LaneMemory memory = held.lanes();
  for (std::size_t i = 0; i < program->inputs.size(); ++i) {
    if (!put_input(program->inputs[i], inputs[i], memory)) {
      return not_applicable("an input of a type that is not taken");
    }
  }
  program->run(memory);
  if (const std::int32_t reason = memory.failure(0); reason != 0) {
    return failed(program->failures[static_cast<std::size_t>(reason) - 1]);
  }
  for (std::size_t i = 0; i < program->outputs.size(); ++i) {
    const auto tensor = read_tensor(data / fmt::format("output_{}.pb", i));
    if (!tensor) return not_applicable("an output that is no tensor");
    Outcome outcome = compare(program->outputs[i], *tensor, memory);
    if (outcome.kind != Outcome::Kind::Passed) return outcome;
  }
  return {};
}

Outcome run_case(const fs::path& folder, const Graph& graph) {
  Outcome outcome = not_applicable("no data");
  for (int set = 0; fs::exists(folder / fmt::format("test_data_set_{}", set)); ++set) {
    const fs::path data = folder / fmt::format("test_data_set_{}", set);
    for (const std::size_t first_known : {graph.inputs.size(), std::size_t{1}, std::size_t{0}}) {
      outcome = run_set(data, graph, first_known);
      if (outcome.kind != Outcome::Kind::NotApplicable) break;
    }
    if (outcome.kind != Outcome::Kind::Passed) return outcome;
  }
  return outcome;
}

/// NAME REASON…, a line each.
std::map<std::string, std::string> read_exemptions(const std::string& path) {
  std::map<std::string, std::string> exemptions;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t blank = line.find(' ');
    exemptions[line.substr(0, blank)] = blank == std::string::npos ? "" : line.substr(blank + 1);
  }
  return exemptions;
}

struct Count {
  std::size_t passed = 0, failed = 0, not_applicable = 0;
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("ONNX's operator cases against what kaspar executes");
  std::string folder;
  std::string exemptions_path;
  bool verbose = false;
  app.add_option("FOLDER", folder, "the cases, such as /usr/share/libonnx-testdata/data/node")
      ->required();
  app.add_option("EXEMPTIONS", exemptions_path, "cases that need not pass, each with its reason")
      ->required();
  app.add_flag("--verbose", verbose, "tell of each case that did not pass");
  CLI11_PARSE(app, argc, argv);

  const auto exemptions = read_exemptions(exemptions_path);
  std::map<std::string, Count> counts;
  std::set<std::string> cases;
  std::size_t problems = 0;
  const auto problem = [&](const std::string& text) {
    ++problems;
    fmt::print("{}\n", text);
  };
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) folders.push_back(entry.path());
  std::ranges::sort(folders);
  for (const fs::path& path : folders) {
    const std::string name = path.filename().string();
    cases.insert(name);
    const auto graph =
        read_onnx((path / "model.onnx").string(), 256u << 20, UnknownOperators::Kept);
    Outcome outcome = graph ? run_case(path, *graph) : not_applicable(graph.error().message);
    std::string op;
    bool executed = graph.has_value();
    if (graph) {
      graph->each_node([&](const GraphNode& node) {
        if (op.empty()) op = node.op;
        executed = executed && find_operator(node.op) != nullptr;
      });
    }
    if (op.empty()) op = "(unread)";
    const auto exempt = exemptions.find(name);
    Count& count = counts[op];
    if (outcome.kind == Outcome::Kind::Passed) {
      ++count.passed;
      if (exempt != exemptions.end()) problem(name + ": passes, and is exempt");
      continue;
    }
    const bool wrong = outcome.kind == Outcome::Kind::Failed;
    ++(wrong ? count.failed : count.not_applicable);
    if (wrong || (executed && exempt == exemptions.end())) {
      problem(fmt::format("{}: {}", name, outcome.why));
    } else if (verbose) {
      fmt::print("{}: {}\n", name, outcome.why);
    }
    if (exempt != exemptions.end() && exempt->second.empty()) problem(name + ": exempt, no reason");
  }
  for (const auto& [name, reason] : exemptions) {
    if (!cases.contains(name)) problem(name + ": exempt, and no case");
  }
  Count all;
  fmt::print("{:<36}{:>8}{:>8}{:>8}\n", "operator", "passed", "failed", "n/a");
  for (const auto& [op, count] : counts) {
    fmt::print("{:<36}{:>8}{:>8}{:>8}\n", op, count.passed, count.failed, count.not_applicable);
    all.passed += count.passed;
    all.failed += count.failed;
    all.not_applicable += count.not_applicable;
  }
  fmt::print("{:<36}{:>8}{:>8}{:>8}\n", "all", all.passed, all.failed, all.not_applicable);
  if (all.passed == 0) problem("no case passed: is that the folder of the cases?");
  fmt::print("{} problems\n", problems);
  return problems == 0 ? 0 : 1;
}
