// Calls of functions, the language's and the file's own.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dsl/check/expressions.hpp"
#include "dsl/check/functions.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;
using Kind = Expression::Kind;

/// `f` or `m.f` as a name; empty for anything else.
ast::Name callee(const Node& node) {
  if (node.kind == Node::Kind::Name) return {.text = node.text, .span = node.span};
  if (node.kind == Node::Kind::Member && node.children[0]->kind == Node::Kind::Name) {
    return {.text = node.children[0]->text + "." + node.text, .span = node.span};
  }
  return {};
}

std::string plural(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

ExpressionChecker::Result ExpressionChecker::call(const Node& node) {
  const ast::Name name = callee(*node.children[0]);
  if (name.empty()) {
    if (node.children[0]->kind != Node::Kind::Error) {
      report_.error(DiagnosticCode::K0302, node.children[0]->span, "this is no function");
    }
    return std::nullopt;
  }
  const auto own = file_.by_name.find(name.text);
  const bool redefined = own != file_.by_name.end() && own->second.damaged;
  if (const auto* function = program_.registry.find_function(name.text);
      function != nullptr && !redefined) {
    return builtin_call(node, *function);
  }
  const bool qualified = name.text.find('.') != std::string::npos;
  if (!qualified &&
      (own == file_.by_name.end() || (own->second.kind != Definition::Kind::Function &&
                                      own->second.kind != Definition::Kind::Unknown))) {
    if (!file_.unknown.insert("function " + name.text).second) return std::nullopt;
    std::vector<std::string_view> names;
    for (const auto& function : program_.registry.functions()) names.push_back(function->name);
    for (const auto& [other, definition] : file_.by_name) {
      if (definition.kind == Definition::Kind::Function) names.push_back(other);
    }
    Diagnostic diagnostic{.code = DiagnosticCode::K0201,
                          .span = name.span,
                          .message = fmt::format("unknown function `{}`", name.text)};
    suggest(diagnostic, name.text, names);
    if (own != file_.by_name.end()) {
      own->second.used = true;
      diagnostic.related.push_back(
          {own->second.span, fmt::format("`{}` is a {}", name.text, name_of(own->second.kind))});
      if (own->second.kind == Definition::Kind::Model) {
        diagnostic.help = fmt::format("a model is a stage: `|> apply {}(…) as y`", name.text);
        diagnostic.fixes.clear();
      }
    }
    report_.add(std::move(diagnostic));
    return std::nullopt;
  }
  const Definition* found = find(program_, file_, name, {Definition::Kind::Function}, "function");
  if (found == nullptr || found->damaged) return std::nullopt;
  return function_call(node, name, found->index);
}

ExpressionChecker::Result ExpressionChecker::builtin_call(const Node& node,
                                                          const FunctionDescriptor& function) {
  std::vector<Typed> arguments;
  bool fine = true;
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    Result argument = check(*node.children[i]);
    if (argument && argument->null) fine = not_null(*argument) && fine;
    fine = fine && argument;
    if (argument) arguments.push_back(std::move(*argument));
  }
  const std::size_t count = node.children.size() - 1;
  if (count < function.least_arguments || count > function.most_arguments) {
    const bool exact = function.least_arguments == function.most_arguments;
    report_.error(DiagnosticCode::K0303, node.children[0]->span,
                  fmt::format("`{}` takes {}{}, not {}", function.name,
                              exact || count < function.least_arguments ? "" : "at most ",
                              plural(count < function.least_arguments ? function.least_arguments
                                                                      : function.most_arguments,
                                     exact ? "argument" : "or more argument"),
                              count),
                  fmt::format("write `{}({})`", function.name, function.parameters));
    return std::nullopt;
  }
  if (!fine) return std::nullopt;
  std::vector<Argument> types;
  bool literals = true;
  for (const Typed& argument : arguments) {
    types.push_back({.type = argument.expression.type, .literal = argument.literal});
    literals = literals && argument.literal;
  }
  auto signature = function.resolve(types);
  if (!signature) {
    Issue& issue = signature.error();
    const std::size_t at = std::min(issue.place.index, arguments.size() - 1);
    const Typed& wrong = arguments[at];
    if (issue.code == DiagnosticCode::K0301) {
      (void)not_null(wrong);
      return std::nullopt;
    }
    report_.add({.code = issue.code,
                 .span = wrong.span,
                 .message = std::move(issue.message),
                 .label = std::move(issue.label),
                 .notes = std::move(issue.notes),
                 .help = std::move(issue.help)});
    return std::nullopt;
  }
  Typed result{.expression = {.kind = Kind::Call, .type = signature->result}};
  result.expression.function = &function;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Type& wanted = signature->parameters[i];
    if (arguments[i].expression.type.optional && !wanted.optional) {
      (void)not_null(arguments[i]);
      return std::nullopt;
    }
    if (!adapt(arguments[i], wanted)) {
      report_.error(DiagnosticCode::K0302, arguments[i].span,
                    fmt::format("`{}` takes `{}` here, and this is `{}`", function.name,
                                to_string(wanted), to_string(arguments[i].expression.type)));
      return std::nullopt;
    }
    result.expression.children.push_back(std::move(arguments[i].expression));
  }
  return constant_folded(std::move(result), false);
}

ExpressionChecker::Result ExpressionChecker::function_call(const Node& node, const ast::Name& name,
                                                           std::size_t index) {
  check_function(program_, index);
  const FunctionDefinition& function = program_.functions[index];
  std::vector<Typed> arguments;
  bool fine = true;
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    Result argument = check(*node.children[i]);
    fine = fine && argument;
    if (argument) arguments.push_back(std::move(*argument));
  }
  const std::size_t count = node.children.size() - 1;
  const std::size_t wanted = function.written->parameters.size();
  if (count != wanted) {
    std::vector<std::string_view> names;
    for (const ast::Field& field : function.written->parameters) names.push_back(field.name.text);
    report_.error(
        DiagnosticCode::K0303, name.span,
        fmt::format("`{}` takes {}, not {}", name.text, plural(wanted, "argument"), count),
        fmt::format("write `{}({})`", name.text, fmt::join(names, ", ")));
    return std::nullopt;
  }
  if (!fine || !function.body) return std::nullopt;
  size_ += function.size;
  if (size_ > largest_expression) {
    const bool first = size_ - function.size <= largest_expression;
    return first ? too_large(node) : std::nullopt;
  }
  std::vector<Expression> values;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Type& type = function.parameters[i];
    if (!type.optional && !not_null(arguments[i])) return std::nullopt;
    if (arguments[i].null) arguments[i].expression.type = type;
    if (!adapt(arguments[i], type)) {
      report_.error(DiagnosticCode::K0302, arguments[i].span,
                    fmt::format("`{}` takes `{}` here, and this is `{}`", name.text,
                                to_string(type), to_string(arguments[i].expression.type)));
      return std::nullopt;
    }
    values.push_back(std::move(arguments[i].expression));
  }
  return Typed{.expression = written_out(function, std::move(values), locals)};
}

}  // namespace kaspar::dsl
