// kaspar model: what an ONNX file holds, what it costs, and what of it is not executed.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "dsl/diag/diagnostic.hpp"
#include "nodes/model/model_report.hpp"
#include "runtime/cli/commands.hpp"
#include "runtime/cli/diagnostic_output.hpp"
#include "runtime/cli/failure_text.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::cli {
namespace {

// A file is described whatever the budget of a run will be.
constexpr std::size_t memory_budget = std::size_t{2} << 30;

struct ModelOptions {
  OutputOptions output;
  std::string file;
};

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} bytes", bytes);
  if (bytes < 1u << 20) return fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024);
  return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string time_text(double nanoseconds) {
  if (nanoseconds < 1e3) return fmt::format("{:.0f} ns", nanoseconds);
  if (nanoseconds < 1e6) return fmt::format("{:.3g} µs", nanoseconds / 1e3);
  return fmt::format("{:.3g} ms", nanoseconds / 1e6);
}

/// Names come from the file, which may hold anything.
std::string shown(std::string_view text) { return dsl::shown_on_terminal(std::string(text)); }

void print_ports(std::string_view what, const std::vector<nodes::GraphPort>& ports) {
  fmt::print("\n{}\n", what);
  std::size_t width = 0;
  for (const nodes::GraphPort& port : ports) width = std::max(width, shown(port.name).size());
  for (const nodes::GraphPort& port : ports) {
    fmt::print("  {:<{}}  {}\n", shown(port.name), width, nodes::type_text(port));
  }
}

void print_for_people(const std::string& file, const nodes::ModelReport& report) {
  if (report.readable()) {
    const nodes::ModelOrigin& origin = report.origin;
    std::string opsets;
    for (const auto& [domain, version] : origin.opsets) {
      opsets += fmt::format("{}{} {}", opsets.empty() ? "" : ", ", shown(domain), version);
    }
    fmt::print("{}\n", shown(file));
    const std::string producer = shown(origin.producer + " " + origin.producer_version);
    fmt::print("  producer    {}\n", producer == " " ? "not named" : producer);
    fmt::print("  IR          {}\n", origin.ir_version);
    fmt::print("  opset       {}\n", opsets);
    fmt::print("  file        {}", bytes_text(origin.file_bytes));
    if (origin.outside_bytes != 0) {
      fmt::print(", and {} of weights beside it", bytes_text(origin.outside_bytes));
    }
    fmt::print("\n  parameters  {}\n", report.parameters);
    fmt::print("  memory      {} of constants", bytes_text(report.weight_bytes));
    if (report.run) fmt::print(", {} for each thread", bytes_text(report.run->thread_bytes));
    fmt::print("\n");
    print_ports("inputs", report.inputs);
    if (report.run) {
      for (const std::string& remark : report.run->remarks) fmt::print("  {}\n", shown(remark));
    }
    print_ports("outputs", report.outputs);
    fmt::print("\noperators\n");
    std::size_t width = 0;
    for (const auto& [name, count] : report.operators) width = std::max(width, shown(name).size());
    for (const auto& [name, count] : report.operators) {
      fmt::print("  {:<{}}  {}\n", shown(name), width, count);
    }
    fmt::print("\ncost a record, measured here on one thread with random records\n");
    if (!report.run) {
      fmt::print("  not measured: {}\n", report.problems.empty()
                                             ? "how wide an input is, an `apply` says"
                                             : "the model is not executed");
    } else {
      for (const auto& [batch, nanoseconds] : report.run->costs) {
        fmt::print("  in batches of {:<3}  {}\n", batch, time_text(nanoseconds));
      }
    }
  }
  for (const Issue& issue : report.problems) {
    fmt::print("{}error[{}]: {}\n", report.readable() ? "\n" : "", name_of(issue.code),
               shown(issue.message));
    if (!issue.help.empty()) fmt::print("   = help: {}\n", shown(issue.help));
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, value);
}

void append_ports(std::string& out, std::string_view name,
                  const std::vector<nodes::GraphPort>& ports) {
  append_json_string(out, name);
  out += ":[";
  std::string_view comma;
  for (const nodes::GraphPort& port : ports) {
    out += std::exchange(comma, ",");
    out += '{';
    append_field(out, "name", port.name);
    out += ',';
    append_field(out, "type", port.type);
    out += ",\"shape\":";
    if (!port.tensor) {
      out += "null}";
      continue;
    }
    out += '[';
    std::string_view between;
    for (const std::int64_t dim : port.dims) {  // null: free
      out += std::exchange(between, ",");
      out += dim < 0 ? std::string("null") : fmt::format("{}", dim);
    }
    out += "]}";
  }
  out += ']';
}

void print_json(const std::string& file, const nodes::ModelReport& report) {
  std::string out = "{\"format_version\":1,";
  append_field(out, "file", file);
  out += fmt::format(",\"valid\":{},\"error_count\":{},\"warning_count\":0,\"diagnostics\":[",
                     report.problems.empty(), report.problems.size());
  std::string_view comma;
  for (const Issue& issue : report.problems) {
    out += std::exchange(comma, ",");
    out += '{';
    append_field(out, "code", name_of(issue.code));
    out += ",\"severity\":\"error\",";
    append_field(out, "message", issue.message);
    out += ",\"node\":";
    if (issue.place.name.empty()) {
      out += "null";
    } else {
      append_json_string(out, issue.place.name);
    }
    out += ',';
    append_field(out, "help", issue.help);
    out += '}';
  }
  out += ']';
  if (report.readable()) {
    const nodes::ModelOrigin& origin = report.origin;
    out += ',';
    append_field(out, "producer", origin.producer);
    out += ',';
    append_field(out, "producer_version", origin.producer_version);
    out += fmt::format(",\"ir_version\":{},\"opsets\":{{", origin.ir_version);
    comma = {};
    for (const auto& [domain, version] : origin.opsets) {
      out += std::exchange(comma, ",");
      append_json_string(out, domain);
      out += fmt::format(":{}", version);
    }
    out += fmt::format("}},\"file_bytes\":{},\"outside_bytes\":{},\"parameters\":{},",
                       origin.file_bytes, origin.outside_bytes, report.parameters);
    append_ports(out, "inputs", report.inputs);
    out += ',';
    append_ports(out, "outputs", report.outputs);
    out += ",\"operators\":{";
    comma = {};
    for (const auto& [name, count] : report.operators) {
      out += std::exchange(comma, ",");
      append_json_string(out, name);
      out += fmt::format(":{}", count);
    }
    out +=
        fmt::format("}},\"constant_bytes\":{},\"thread_bytes\":{},\"cost\":[", report.weight_bytes,
                    report.run ? fmt::format("{}", report.run->thread_bytes) : "null");
    comma = {};
    if (report.run) {
      for (const auto& [batch, nanoseconds] : report.run->costs) {
        out += std::exchange(comma, ",");
        out += fmt::format("{{\"batch\":{},\"nanoseconds\":{:.1f}}}", batch, nanoseconds);
      }
    }
    out += ']';
  }
  fmt::print("{}}}\n", out);
}

ExitStatus model(const ModelOptions& options) {
  const int descriptor = ::open(options.file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor < 0) {
    return tell({.status = ExitStatus::Usage,
                 .message = fmt::format("cannot open `{}`: {}", options.file,
                                        std::generic_category().message(errno))});
  }
  ::close(descriptor);
  const nodes::ModelReport report = nodes::describe_model(options.file, memory_budget);
  const auto print = options.output.kind() == OutputFormat::Json ? print_json : print_for_people;
  print(options.file, report);
  return report.problems.empty() ? ExitStatus::Fine : ExitStatus::Problems;
}

}  // namespace

void add_model(CLI::App& app, Action& action) {
  CLI::App* command = app.add_subcommand(
      "model", "Tell what an ONNX file holds and costs, and what of it is not executed");
  auto options = std::make_shared<ModelOptions>();
  command->add_option("FILE", options->file, "a model, NAME.onnx")->required();
  add_output_options(*command, options->output, {"human", "json"});
  command->callback([options, &action] { action = [options] { return model(*options); }; });
}

}  // namespace kaspar::cli
