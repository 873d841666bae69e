// The tree of a file as written: nothing is resolved yet, every part knows where it stands.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "dsl/lex/token_buffer.hpp"

namespace kaspar::dsl::ast {

/// A word with its place. A qualified name (`m.chart`) keeps its dots.
struct Name {
  std::string text;
  Span span;
  [[nodiscard]] bool empty() const noexcept { return text.empty(); }
};

struct Node;
using NodePtr = std::unique_ptr<Node>;

/// `name: value` in braces, or `"name" = value` in a table. `value` is null for a bare table entry.
struct Entry {
  Name name;
  bool quoted = false;
  NodePtr value;
};

/// An expression or the value of an option.
struct Node {
  enum class Kind : std::uint8_t {
    Error,  // damaged: reported already, say nothing more about it
    Integer,
    Float,
    Duration,
    String,
    True,
    False,
    Null,
    Name,       // text
    Member,     // children[0] . text
    Call,       // children[0] ( children[1…] )
    Index,      // children[0] [ children[1] ]
    Negate,     // - children[0]
    Not,        // not children[0]
    Binary,     // children[0] text children[1], `in` included (children[1] is a List)
    If,         // if children[0] then children[1] else children[2]
    List,       // [ children… ]
    Table,      // { entries… }
    File,       // file "text"
    LinesFile,  // lines file "text"
  };

  Kind kind = Kind::Error;
  Span span;
  std::string text;  // a name, a member, an operator as written
  Span text_span;
  std::variant<std::monostate, std::int64_t, double, std::chrono::milliseconds, StringLiteral>
      literal;
  std::vector<NodePtr> children;
  std::vector<Entry> entries;
  std::uint32_t height = 1;  // of the tree below; the parser bounds it
};

/// The entries between braces after a node.
struct Options {
  bool present = false;
  Span span;
  std::vector<Entry> entries;
};

/// `f32[60]?`
struct TypeName {
  Name name;
  std::optional<std::int64_t> width;
  Span width_span;
  bool optional = false;
  Span span;
};

struct Field {
  Name name;
  TypeName type;
  NodePtr from;     // a String
  NodePtr from_to;  // the last one of `from "t0".."t59"`
};

/// `SINK`, `drop` or `fail` after an `else`, `on error` or an arm of a route.
using Target = Name;

struct RouteArm {
  NodePtr condition;  // null: `else`
  Span span;
  Target target;
};

/// One stage of a chain; `route` and `to` too.
struct Stage {
  Name word;
  Span span;
  bool damaged = false;           // reported already
  Name format;                    // parse FORMAT
  Name schema;                    // … as SCHEMA
  Name model;                     // apply MODEL
  Name column;                    // as NAME, vector NAME, standardize NAME
  Name sink;                      // to SINK
  NodePtr file;                   // using "…": a String
  std::vector<NodePtr> operands;  // filter's condition, vector's and apply's arguments
  std::vector<Entry> columns;     // derive's, keep's (no values)
  std::vector<RouteArm> arms;
  Options options;
  std::optional<Target> on_error;
};

struct Chain {
  Name stream;  // of `stream N = …`; empty otherwise
  Span from;    // the word `from`
  bool merge = false;
  std::vector<Name> inputs;
  std::vector<Stage> stages;
};

struct Use {
  NodePtr file;
  Name name;
};
struct Param {
  Name name;
  TypeName type;
  NodePtr value;
  Options options;
};
struct Schema {
  Name name;
  std::vector<Field> fields;
};
struct Function {
  Name name;
  std::vector<Field> parameters;
  TypeName result;
  NodePtr body;
};
struct Model {
  Name name;
  Name format;
  NodePtr file;
  Options options;
};
struct Endpoint {
  bool source = false;
  Name name;
  Name kind;
  Options options;
};
struct OnError {
  Target target;
};
struct Deliver {
  Name guarantee;
};
struct Feed {
  Name endpoint;
  Options options;
};
struct Expect {
  Name endpoint;
  bool none = false;
  Options options;
};
struct Test {
  NodePtr name;
  std::vector<std::variant<Feed, Expect>> steps;
};

/// An item of an unknown word.
struct UnknownItem {
  Name name;
};

struct Item {
  Span span;  // the word that it starts with
  /// Something in it was reported; what it defines has an unknown type.
  bool damaged = false;
  std::variant<Use, Param, Schema, Function, Model, Endpoint, Chain, OnError, Deliver, Test,
               UnknownItem>
      data;
};

struct File {
  std::shared_ptr<const SourceBuffer> source;
  Span pipe;  // the word, or where it should stand
  std::vector<Item> items;
};

}  // namespace kaspar::dsl::ast
