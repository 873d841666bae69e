// The single place that tells all about a node: what the checker, the engine, the reference and
// the completions know of it.
//
// A node is a stage of a chain, a format that `parse` reads, a kind of source or sink, or a format
// of models. Each lives in a folder of nodes/ and is registered by that folder's register_nodes().
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/core/expression.hpp"
#include "runtime/core/function_descriptor.hpp"
#include "runtime/core/issue.hpp"
#include "runtime/core/operator.hpp"
#include "runtime/core/run_settings.hpp"
#include "runtime/core/schema.hpp"
#include "runtime/core/sink.hpp"
#include "runtime/core/source.hpp"

namespace kaspar {

enum class NodeRole : std::uint8_t {
  Stage,   // a word after `|>`, `to` included
  Parse,   // the format in `parse FORMAT as SCHEMA`
  Source,  // the kind in `source N = KIND {…}`
  Sink,    // the kind in `sink N = KIND {…}`
  Model,   // the format in `model N = FORMAT "file" {…}`
};

enum class ParamKind : std::uint8_t {
  String,
  Integer,
  Number,
  Boolean,
  Duration,
  Word,         // one of `words`
  File,         // file "…"
  StringList,   // ["a", "b"]
  Table,        // { a = 1 }
  Expression,   // sees the columns; becomes an Operand with the option's name as its role
  Expressions,  // { "name" = expr }: an Operand each, role "NAME.key"
  Fields,       // an Expression, or { a, "b" = expr, c = { d } }: an Operand each with its path
};

/// An option between the braces after a node.
struct ParamDescriptor {
  std::string_view name;
  ParamKind kind = ParamKind::String;
  std::string_view summary;
  bool required = false;
  std::string_view default_text = {};  // as written in a file; empty: none
  std::vector<std::string_view> words =
      {};  // of a Word; a String param with words takes only these
};

/// Files that were read by `check` and that a run uses as they were then: a loaded model, a scaler.
class Resource {
 public:
  Resource() = default;
  Resource(const Resource&) = delete;
  Resource& operator=(const Resource&) = delete;
  virtual ~Resource() = default;
  /// Bytes held, and those that each thread has besides, for the memory budget.
  [[nodiscard]] virtual std::size_t memory() const noexcept { return 0; }
  [[nodiscard]] virtual std::size_t memory_per_thread() const noexcept { return 0; }
  /// Lines for `check --verbose`: how a shape was taken, and the like.
  [[nodiscard]] virtual std::vector<std::string> remarks() const { return {}; }
};

/// An expression that a stage reads, by its role: "" for arguments in order, else the option's
/// name.
struct Operand {
  std::string role;
  Expression expression;
  /// Of Fields: the names that lead to it, the outermost first; empty where it stands alone.
  std::vector<std::string> path = {};
};

/// A stage as written, names resolved: what infer() and make_operator() are given.
struct StageCall {
  std::vector<Operand> operands;
  Params params;        // constants only, defaults filled in
  std::string name;     // the column that it defines (`as y`, `vector v =`); may be empty
  std::string file;     // the path after `using`, ready to open; may be empty
  Schema schema;        // the schema after `as` of a parse
  bool header = false;  // every source whose records it gets names its columns in a header
  std::shared_ptr<const Resource> model;  // of an apply
  /// Of a `to` only, which may write them all: the columns before it, with their slots. Kept for
  /// every stage, they would grow as the square of a chain's length.
  Schema input;
  std::vector<Slot> input_slots;
};

/// What a stage does to the columns.
struct Inferred {
  /// Columns that it defines, in order; one named as an existing column replaces it.
  std::vector<Column> columns;
  /// Whether earlier columns are gone (parse).
  bool replaces_all = false;
  /// Whether a row can fail in it.
  bool fallible = false;
  /// What make_operator() will want again.
  std::shared_ptr<const Resource> resource;
};

/// A stage ready to be made: slots of the columns in Inferred::columns, in their order.
struct StageBinding {
  const StageCall& call;
  std::span<const Slot> writes;
  std::shared_ptr<const Resource> resource;
};

/// An endpoint as the plan has it.
struct EndpointCall {
  std::size_t index = 0;  // into Plan::sources or Plan::sinks
  std::string name;
  Params params;
  bool best_effort = false;  // of a sink: it never holds back or fails the others
};

/// Endpoints whose batches and results belong together: the sources stamp RecordBatch::transaction,
/// and what the sinks write of a transaction becomes visible with the progress of the sources, or
/// not at all.
struct TransactionalEndpoints {
  std::vector<std::unique_ptr<Source>> sources;  // as make_sources()
  std::vector<std::unique_ptr<Sink>> sinks;      // as make_sinks()
};

/// An option of a profile that cannot be taken.
struct SettingIssue {
  std::string option;
  bool unknown = false;    // there is no such option
  bool forbidden = false;  // it is not for the user to set; else its value is wrong
  std::string message;
  std::string help;  // may be empty
};

struct NodeDescriptor {
  NodeRole role = NodeRole::Stage;
  std::string_view name;
  std::string_view summary;        // one line
  std::string_view documentation;  // Markdown
  std::vector<ParamDescriptor> params = {};
  std::vector<std::string_view> examples = {};  // whole stages or items, as in a file

  /// Stage and Parse: the schema rule.
  std::expected<Inferred, Issue> (*infer)(const StageCall& call) = nullptr;
  /// Stage and Parse. Called once a run; everything that can be refused was refused by infer().
  std::unique_ptr<Operator> (*make_operator)(const StageBinding& binding) = nullptr;

  /// Source and Sink: what options must fulfil beyond their kinds; nullptr: nothing.
  std::vector<Issue> (*check_endpoint)(const Params& params) = nullptr;
  /// Source: one Source for all endpoints of this kind, or as many as are needed. No I/O yet.
  std::expected<std::vector<std::unique_ptr<Source>>, Failure> (*make_sources)(
      std::span<const EndpointCall> endpoints, const RunContext& context) = nullptr;
  /// Sink: one for each endpoint, in order. No I/O yet.
  std::expected<std::vector<std::unique_ptr<Sink>>, Failure> (*make_sinks)(
      std::span<const EndpointCall> endpoints, const RunContext& context) = nullptr;

  /// Source whose kind of sinks can take part in its transactions: all endpoints of the kind, for
  /// `deliver exactly_once`; nullptr: it has none. No I/O yet.
  std::expected<TransactionalEndpoints, Failure> (*make_transactional)(
      std::span<const EndpointCall> sources, std::span<const EndpointCall> sinks,
      const RunContext& context) = nullptr;
  /// Why make_transactional() is not to be called with the libraries of this process; empty: it is.
  std::string transactions_refused = {};

  /// Source or sink of a system with settings: what is wrong with the options of a profile, as the
  /// system's own library sees it; nullptr: it has none. The names of all options, for suggestions.
  std::vector<SettingIssue> (*check_settings)(const KafkaSettings& settings) = nullptr;
  std::vector<std::string> (*setting_names)() = nullptr;

  /// Model: opens and checks the file, which may take so many bytes of memory (K0407).
  std::expected<std::shared_ptr<const Resource>, Issue> (*load_model)(
      const std::string& path, const Params& params, std::size_t memory_budget) = nullptr;
};

/// All nodes and functions of the program. Filled once at the start, then read only.
class NodeRegistry {
 public:
  /// The value of an expression without columns and meta fields, or why it fails (K0906, K0902).
  using ConstantEvaluator = std::expected<Value, Issue> (*)(const Expression& expression);

  void add(FunctionDescriptor function) {
    functions_.push_back(std::make_unique<const FunctionDescriptor>(std::move(function)));
  }
  void set_constant_evaluator(ConstantEvaluator evaluator) noexcept { evaluator_ = evaluator; }

  [[nodiscard]] std::expected<Value, Issue> evaluate(const Expression& expression) const {
    if (evaluator_ == nullptr) return std::unexpected(Issue{.code = DiagnosticCode::K0906});
    return evaluator_(expression);
  }
  [[nodiscard]] const FunctionDescriptor* find_function(std::string_view name) const noexcept {
    for (const auto& function : functions_) {
      if (function->name == name) return function.get();
    }
    return nullptr;
  }
  [[nodiscard]] std::span<const std::unique_ptr<const FunctionDescriptor>> functions()
      const noexcept {
    return functions_;
  }

  void add(NodeDescriptor descriptor) {
    nodes_.push_back(std::make_unique<const NodeDescriptor>(std::move(descriptor)));
  }

  [[nodiscard]] const NodeDescriptor* find(NodeRole role, std::string_view name) const noexcept {
    for (const auto& node : nodes_) {
      if (node->role == role && node->name == name) return node.get();
    }
    return nullptr;
  }

  /// Names of all nodes of a role, for suggestions.
  [[nodiscard]] std::vector<std::string_view> names(NodeRole role) const {
    std::vector<std::string_view> names;
    for (const auto& node : nodes_) {
      if (node->role == role) names.push_back(node->name);
    }
    return names;
  }

  [[nodiscard]] std::span<const std::unique_ptr<const NodeDescriptor>> all() const noexcept {
    return nodes_;
  }

 private:
  std::vector<std::unique_ptr<const NodeDescriptor>> nodes_;  // stable addresses
  std::vector<std::unique_ptr<const FunctionDescriptor>> functions_;
  ConstantEvaluator evaluator_ = nullptr;
};

}  // namespace kaspar
