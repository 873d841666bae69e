// Names and types of expressions.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "dsl/check/definitions.hpp"
#include "dsl/parse/ast.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/schema.hpp"

namespace kaspar::dsl {

/// The columns at one point of a chain, or the parameters of a function.
struct Scope {
  Schema columns;
  std::vector<Slot> slots;         // of each column
  std::set<std::string> poisoned;  // damaged or reported: nothing more is said about them
  std::set<std::string> present;   // meta fields that are not null here: "key", "headers[\"x\"]"
  bool unknown = false;            // what columns there are cannot be told
  bool rows = true;                // false: a constant, or a function's body: there are no columns

  struct Parameter {
    std::uint32_t local = 0;
    Type type;
  };
  std::map<std::string, Parameter, std::less<>> parameters;

  /// Adds a column; one of the same name, or the members of an object of that name, are replaced.
  void define(const Column& column, Slot slot);
  /// Takes away a column or an object of that name.
  void remove(std::string_view name);
  /// Whether there is a column or an object of that name.
  [[nodiscard]] bool has(std::string_view name) const;
  /// Where the column of that name stands, in a time that does not grow with their number.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;

 private:
  /// Of the first `indexed` columns, which may be added to, but are only taken away here.
  struct Index {
    std::unordered_map<std::string, std::size_t> columns;
    std::unordered_map<std::string, std::size_t> objects;  // how many columns each has
    std::size_t indexed = 0;
  };
  [[nodiscard]] const Index& index() const;
  void erase(std::size_t at);
  mutable Index index_;
};

/// An expression with its type. A literal may still become one of another type.
struct Typed {
  Expression expression;
  bool literal = false;
  bool null = false;  // the word `null`
  Span span;
};

/// Larger expressions, functions written out, are refused with K0101.
inline constexpr std::size_t largest_expression = 10'000;

/// Checks the expressions of one file. Reports what is wrong, once each, and gives nothing then,
/// and nothing where an expression hangs on something damaged.
class ExpressionChecker {
 public:
  ExpressionChecker(Program& program, FileDefinitions& file, Scope& scope)
      : program_(program), file_(file), report_(file.report), scope_(scope) {}

  /// Of any type; it may be null.
  [[nodiscard]] std::optional<Expression> optional(const ast::Node& node);
  /// Of any type, never null (K0301).
  [[nodiscard]] std::optional<Expression> present(const ast::Node& node);
  /// A bool, never null; `what` is it: "a condition".
  [[nodiscard]] std::optional<Expression> condition(const ast::Node& node, std::string_view what);
  /// Of that type: literals adapt, f32 widens.
  [[nodiscard]] std::optional<Expression> of_type(const ast::Node& node, Type type,
                                                  std::string_view what);
  /// The columns of the object (a model's result) that the node names, in order; empty where it
  /// names none.
  [[nodiscard]] std::vector<Expression> parts_of(const ast::Node& node) const;
  /// The operand of a `filter`: the top-level terms that exclude null narrow the scope.
  [[nodiscard]] std::optional<Expression> filter(const ast::Node& node);

  /// Locals that the expressions checked so far take; a function's body starts with its parameters.
  std::uint32_t locals = 0;

 private:
  using Result = std::optional<Typed>;

  Result check(const ast::Node& node);
  Result check_present(const ast::Node& node);
  Result literal(const ast::Node& node);
  Result name(const ast::Node& node);
  Result member(const ast::Node& node);
  Result meta(const ast::Node& node);
  Result header(const ast::Node& node);
  Result index(const ast::Node& node);
  Result negate(const ast::Node& node);
  Result negation(const ast::Node& node);
  Result binary(const ast::Node& node);
  Result logic(const ast::Node& node);
  Result comparison(const ast::Node& node);
  Result null_comparison(const ast::Node& node, const ast::Node& operand);
  Result membership(const ast::Node& node);
  Result coalesce(const ast::Node& node);
  Result arithmetic(const ast::Node& node);
  Result condition_of(const ast::Node& node);
  Result call(const ast::Node& node);
  Result builtin_call(const ast::Node& node, const FunctionDescriptor& function);
  Result function_call(const ast::Node& node, const ast::Name& name, std::size_t index);

  /// Makes both of one scalar type, or reports that they are not.
  bool unify(Typed& left, Typed& right, std::string_view what);
  /// Makes it of the type, if it is a literal or widens to it.
  bool adapt(Typed& typed, Type type);
  bool not_null(const Typed& typed);
  bool scalar(const Typed& typed, std::string_view what);
  void mismatch(const Typed& left, const Typed& right, std::string_view what);
  Result constant_folded(Typed typed, bool literals);
  Result too_large(const ast::Node& node);
  [[nodiscard]] std::string text(Span span) const {
    return std::string{file_.file.source->text(span)};
  }
  void unknown_column(const ast::Node& node);
  /// `"${c}"` of a column, which only parameters can be: told, with the way out.
  bool interpolates_column(const StringLiteral& literal) const;
  [[nodiscard]] std::vector<std::string_view> members(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> value_names() const;
  void narrow(const ast::Node& node);

  Program& program_;
  FileDefinitions& file_;
  Report& report_;
  Scope& scope_;
  std::size_t size_ = 0;  // nodes of the expression at hand
};

/// An expression that a stage can read as it is.
[[nodiscard]] inline bool is_leaf(const Expression& expression) noexcept {
  return expression.kind == Expression::Kind::Literal ||
         expression.kind == Expression::Kind::Column || expression.kind == Expression::Kind::Meta;
}

}  // namespace kaspar::dsl
