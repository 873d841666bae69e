#include "dsl/check/stream_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace kaspar::dsl {
namespace {

// Ways from the sources to a chain: each merge adds up those of its inputs.
constexpr std::size_t most_paths = 256;

constexpr std::string_view streams_or_sources = "source or stream";

class StreamGraph {
 public:
  StreamGraph(Program& program, const ErrorHandling& on_error)
      : program_(program),
        file_(*program.files.front()),
        report_(file_.report),
        on_error_(on_error) {
    for (std::size_t i = 0; i < file_.file.items.size(); ++i) {
      if (std::holds_alternative<ast::Chain>(file_.file.items[i].data)) items_.push_back(i);
    }
    for (const std::size_t item : items_) {
      node_of_[item] = nodes_.size();
      nodes_.push_back({.item = item});
    }
  }

  void run() {
    for (Node& node : nodes_) find_inputs(node);
    for (std::size_t i = 0; i < nodes_.size(); ++i) order(i);
    for (const std::size_t i : order_) check(i);
    find_targets();
    unread_arms();
    unhandled();
    plan();
  }

 private:
  /// A chain.
  struct Node {
    std::size_t item = 0;
    struct Input {
      std::optional<std::size_t> source;
      std::optional<std::size_t> node;
      std::optional<std::size_t> arm;
    };
    std::vector<Input> inputs;  // as written; one that is wrong has neither
    CheckState state = CheckState::Unchecked;
    bool cyclic = false;
    CheckedChain checked;
    std::size_t paths = 0;
    bool reaches_sink = false;
    bool reliable = false;  // reaches a sink that is not best-effort
    std::size_t queue = 0;  // the largest of its best-effort sinks
  };

  const ast::Chain& written(const Node& node) const {
    return std::get<ast::Chain>(file_.file.items[node.item].data);
  }

  void find_inputs(Node& node) {
    std::set<std::string> seen;
    for (const ast::Name& name : written(node).inputs) {
      Node::Input& input = node.inputs.emplace_back();
      if (name.empty()) continue;
      if (!seen.insert(name.text).second) {
        report_.error(DiagnosticCode::K0202, name.span,
                      fmt::format("`{}` is merged twice", name.text), "name it once");
        continue;
      }
      const Definition* found =
          find(program_, file_, name, {Definition::Kind::Source, Definition::Kind::Stream},
               streams_or_sources);
      if (found == nullptr) continue;
      if (found->kind == Definition::Kind::Source) {
        input.source = found->index;
        continue;
      }
      const StreamDefinition& stream = program_.streams[found->index];
      input.node = node_of_.at(stream.item);
      if (stream.arm) input.arm = stream.arm_index;
    }
    if (written(node).merge && written(node).inputs.empty()) {
      report_.error(DiagnosticCode::K0303, written(node).from, "a merge of nothing",
                    "name the sources and streams: `from merge(a, b)`");
    }
  }

  /// Puts the node after those that it reads; iterative, for a file may chain any number of them.
  void order(std::size_t start) {
    struct Step {
      std::size_t node;
      std::size_t next;
    };
    std::vector<Step> path{{start, 0}};
    if (nodes_[start].state != CheckState::Unchecked) return;
    nodes_[start].state = CheckState::Checking;
    while (!path.empty()) {
      Step& step = path.back();
      Node& node = nodes_[step.node];
      if (step.next == node.inputs.size()) {
        node.state = CheckState::Checked;
        order_.push_back(step.node);
        path.pop_back();
        continue;
      }
      Node::Input& input = node.inputs[step.next++];
      if (!input.node) continue;
      Node& before = nodes_[*input.node];
      if (before.state == CheckState::Unchecked) {
        before.state = CheckState::Checking;
        path.push_back({*input.node, 0});
      } else if (before.state == CheckState::Checking) {
        std::vector<std::size_t> cycle;
        for (std::size_t i = path.size(); i-- > 0;) {
          cycle.push_back(path[i].node);
          if (path[i].node == *input.node) break;
        }
        report_cycle(std::move(cycle));
        input = {};
      }
    }
  }

  /// What the node defines: the name of its stream, or the arm by which the cycle goes on.
  Span defined(const Node& node) const {
    const ast::Chain& chain = written(node);
    if (!chain.stream.empty()) return chain.stream.span;
    for (const ast::Stage& stage : chain.stages) {
      if (!stage.arms.empty()) return stage.arms.front().target.span;
    }
    return chain.from;
  }

  void report_cycle(std::vector<std::size_t> cycle) {
    std::ranges::sort(cycle, {}, [&](std::size_t node) { return nodes_[node].item; });
    std::vector<RelatedSpan> related;
    for (const std::size_t node : cycle) {
      nodes_[node].cyclic = true;
      if (node != cycle.front()) related.push_back({defined(nodes_[node]), "by way of this one"});
    }
    report_.error(DiagnosticCode::K0504, defined(nodes_[cycle.front()]),
                  "the stream is made of itself", "read a source at one of these places",
                  std::move(related));
  }

  void check(std::size_t index) {
    Node& node = nodes_[index];
    const ast::Item& item = file_.file.items[node.item];
    std::vector<CheckedInput> inputs;
    for (const Node::Input& input : node.inputs) {
      CheckedInput& checked = inputs.emplace_back();
      checked.plan.arm = input.arm;
      if (input.source) {
        const EndpointPlan& source = program_.plan.sources[*input.source];
        checked.plan.source = input.source;
        checked.header = bool_param(source.params, "header", false);
        ++node.paths;
      } else if (input.node) {
        const Node& before = nodes_[*input.node];
        checked.plan.chain = *input.node;
        checked.end = &before.checked.end;
        checked.header = before.checked.end.header;
        node.paths += before.paths;
      } else {
        checked.unknown = true;
      }
    }
    if (node.inputs.empty()) inputs.emplace_back().unknown = true;
    if (node.paths > most_paths) {
      report_.error(DiagnosticCode::K0101, written(node).from,
                    fmt::format("rows reach this merge by {} ways, and kaspar takes at most {}",
                                node.paths, most_paths),
                    "route in one step instead of merging again and again");
      node.paths = 1;
    }
    node.checked = check_chain(written(node), item.damaged, inputs, on_error_, program_, file_);
  }

  /// From the last chain to the first: which sinks its rows reach.
  void find_targets() {
    for (auto at = order_.rbegin(); at != order_.rend(); ++at) {
      Node& node = nodes_[*at];
      if (node.checked.plan.sink) {
        const EndpointPlan& sink = program_.plan.sinks[*node.checked.plan.sink];
        node.reaches_sink = true;
        if (sink.best_effort) {
          node.queue = std::max(node.queue, sink.queue);
        } else {
          node.reliable = true;
        }
      }
      for (const Node::Input& input : node.inputs) {
        if (!input.node) continue;
        Node& before = nodes_[*input.node];
        before.reaches_sink = before.reaches_sink || node.reaches_sink;
        before.reliable = before.reliable || node.reliable;
        before.queue = std::max(before.queue, node.queue);
      }
    }
  }

  void unread_arms() {
    // A chain that reads a stream which is not there may have meant this one.
    const bool misread = std::ranges::any_of(file_.unknown, [](const std::string& name) {
      return name.starts_with(streams_or_sources);
    });
    if (misread) return;
    for (auto& [name, definition] : file_.by_name) {
      if (definition.kind != Definition::Kind::Stream || definition.used || definition.damaged) {
        continue;
      }
      const StreamDefinition& stream = program_.streams[definition.index];
      if (!stream.arm) continue;
      definition.used = true;  // it is said
      report_.error(DiagnosticCode::K0501, stream.span,
                    fmt::format("nothing reads `{}`: its rows would be lost", name),
                    fmt::format("read it by `from {} |> … |> to SINK`, or write `drop`", name));
    }
  }

  void unhandled() {
    for (const Node& node : nodes_) {
      const auto& words = node.checked.unhandled;
      // Rows that fail on the way to best-effort sinks only are counted and dropped.
      const bool best_effort = node.reaches_sink && !node.reliable;
      if (words.empty() || best_effort) continue;
      std::vector<RelatedSpan> others;
      for (std::size_t i = 1; i < words.size(); ++i) {
        others.push_back({words[i].span, "so can rows here"});
      }
      report_.error(
          DiagnosticCode::K0601, words[0].span, "rows can fail here and nothing says where they go",
          "add `on error SINK`, or `else SINK` to the stage; `drop` and `fail` are possible too",
          std::move(others));
    }
  }

  void plan() {
    if (report_.has_errors()) return;
    std::map<std::size_t, std::size_t> place;  // of a node in the plan
    std::map<std::size_t, bool> source_reliable;
    for (const Node& node : nodes_) {
      for (const Node::Input& input : node.inputs) {
        if (input.source && node.reliable) source_reliable[*input.source] = true;
      }
    }
    for (const std::size_t index : order_) {
      Node& node = nodes_[index];
      if (!node.reaches_sink) continue;
      ChainPlan chain = std::move(node.checked.plan);
      bool fork = false;  // something before it also goes where nothing may be lost
      for (ChainInput& input : chain.inputs) {
        if (input.source) {
          fork = fork || source_reliable[*input.source];
        } else {
          fork = fork || nodes_[input.chain].reliable;
          input.chain = place.at(input.chain);
        }
      }
      chain.best_effort = !node.reliable;
      if (chain.best_effort && fork) chain.queue_rows = node.queue;
      place[index] = program_.plan.chains.size();
      program_.plan.chains.push_back(std::move(chain));
    }
  }

  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  const ErrorHandling& on_error_;
  std::vector<std::size_t> items_;
  std::map<std::size_t, std::size_t> node_of_;  // by item
  std::vector<Node> nodes_;
  std::vector<std::size_t> order_;
};

}  // namespace

void check_chains(Program& program, const ErrorHandling& on_error) {
  StreamGraph(program, on_error).run();
}

}  // namespace kaspar::dsl
