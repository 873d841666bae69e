// What the names of a program stand for: those of its file, and of every file that it uses.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "dsl/check/endpoint_text.hpp"
#include "dsl/check/report.hpp"
#include "dsl/parse/ast.hpp"
#include "dsl/source/outside_value.hpp"
#include "runtime/core/plan.hpp"

namespace kaspar::dsl {

struct FileDefinitions;

struct Definition {
  enum class Kind : std::uint8_t {
    Source,    // index into Plan::sources
    Sink,      // Plan::sinks
    Model,     // Program::models
    Schema,    // Program::schemas
    Param,     // Program::params
    Function,  // Program::functions
    Stream,    // Program::streams
    Used,      // Program::files: the name after `as` of a `use`
    Unknown,   // of an unknown item: what it is cannot be told
  };
  Kind kind = Kind::Unknown;
  std::size_t index = 0;
  Span span;
  bool damaged = false;  // reported already; what hangs on it is not
  bool used = false;
};

/// "source", "sink", …
[[nodiscard]] std::string_view name_of(Definition::Kind kind) noexcept;

enum class CheckState : std::uint8_t { Unchecked, Checking, Checked };

struct SchemaDefinition {
  Schema schema;
  bool named = false;            // its fields say where they come `from`
  std::set<std::string> ranges;  // columns that come from a range of input columns
};

struct ModelDefinition {
  std::size_t index = 0;                // into Plan::models
  std::map<std::string, Span> options;  // where each option's value stands
};

struct ParamDefinition {
  const ast::Param* written = nullptr;
  FileDefinitions* file = nullptr;
  CheckState state = CheckState::Unchecked;
  Type type;
  const OutsideValue* outside = nullptr;  // takes the place of the default
  std::optional<Value> value;             // empty where something in it is wrong
};

struct FunctionDefinition {
  const ast::Function* written = nullptr;
  FileDefinitions* file = nullptr;
  CheckState state = CheckState::Unchecked;
  std::vector<Type> parameters;
  Type result;
  std::optional<Expression> body;  // parameters are Locals from 0; empty where something is wrong
  std::uint32_t locals = 0;        // parameters and those of every Let in the body
  std::size_t size = 1;            // nodes of the body
};

/// Rows that chains may read by name: of a `stream`, or of an arm of a `route`.
struct StreamDefinition {
  std::size_t item = 0;  // of the file: the chain that makes them
  bool arm = false;
  std::size_t arm_index = 0;
  Span span;
};

/// One file of the program.
struct FileDefinitions {
  FileDefinitions(ast::File parsed, Diagnostics& diagnostics);

  ast::File file;
  std::string directory;  // that its paths start from
  Report report;
  std::map<std::string, Definition, std::less<>> by_name;
  std::set<std::string> unknown;  // names that were reported: once is enough
  bool nameless_use = false;      // a damaged `use` may have meant any prefix

  /// Enters a name; reports one that is reserved or defined already.
  bool enter(const ast::Name& name, Definition definition);
};

/// Everything that the program's files define. Stable addresses.
struct Program {
  const NodeRegistry& registry;
  Diagnostics& diagnostics;
  Plan plan;
  std::vector<EndpointText> source_texts;  // of the plan's sources, and sinks
  std::vector<EndpointText> sink_texts;
  std::vector<SchemaDefinition> schemas;
  std::vector<ModelDefinition> models;
  std::vector<ParamDefinition> params;
  std::vector<FunctionDefinition> functions;
  std::vector<StreamDefinition> streams;
  std::vector<std::size_t> checking;                    // functions at work, the outermost first
  std::size_t depth = 0;                                // parameters at work
  std::size_t carried = 0;                              // columns that chains have of those before
  std::vector<std::unique_ptr<FileDefinitions>> files;  // the first is the program's own
  /// Names of clusters that an endpoint may be on; not checked where nothing is known of them.
  std::optional<std::vector<std::string>> clusters = std::nullopt;
  std::size_t memory_budget = 0;  // bytes that a model may take
  /// Files that it reads beside its own: used ones, models, scalers, golden vectors, tests' data.
  std::set<std::string> paths = {};
};

/// The definition that `name` has in `file` (`m.x`: in the file used as `m`), marked as used;
/// nothing where there is none or of another kind (reported), or where it cannot be told (not
/// reported). `what` names the kinds in the message: "sink", "source or stream".
[[nodiscard]] Definition* find(Program& program, FileDefinitions& file, const ast::Name& name,
                               std::initializer_list<Definition::Kind> kinds,
                               std::string_view what);

/// Where failed rows go; nothing where it is wrong (reported).
[[nodiscard]] std::optional<ErrorPolicy> check_target(Program& program, FileDefinitions& file,
                                                      const ast::Name& target);

/// Where an item or stage stands.
[[nodiscard]] Place place_of(const FileDefinitions& file, Span span);

/// `path` as written in a file of that directory.
[[nodiscard]] std::string path_from(const std::string& directory, const std::string& path);

/// The same for a file that the program reads, which it remembers.
[[nodiscard]] std::string path_to_read(Program& program, const FileDefinitions& file,
                                       const std::string& path);

}  // namespace kaspar::dsl
