#include "dsl/check/functions.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "dsl/check/expressions.hpp"

namespace kaspar::dsl {
namespace {

using Kind = Expression::Kind;

// Functions that call each other in a row, and so how deep their check goes.
constexpr std::size_t deepest_calls = 64;

std::size_t count_nodes(const Expression& expression) {
  std::size_t count = 1;
  for (const Expression& child : expression.children) count += count_nodes(child);
  return count;
}

/// What needs no computing: it stands wherever its parameter does.
bool is_substitute(const Expression& argument) {
  return is_leaf(argument) || argument.kind == Kind::Local;
}

/// Puts each parameter's replacement in its place, and renumbers the body's own locals.
void place(Expression& expression, const std::vector<Expression>& replacements,
           std::uint32_t own_base) {
  const bool local = expression.kind == Kind::Local || expression.kind == Kind::Let;
  if (expression.kind == Kind::Local && expression.local < replacements.size()) {
    std::string text = std::move(expression.text);
    expression = replacements[expression.local];
    expression.text = std::move(text);
    return;
  }
  if (local) {
    expression.local += own_base - static_cast<std::uint32_t>(replacements.size());
  }
  for (Expression& child : expression.children) place(child, replacements, own_base);
}

void report_cycle(Program& program, std::size_t index) {
  const auto begin = std::ranges::find(program.checking, index);
  const auto first =
      *std::min_element(begin, program.checking.end(), [&](std::size_t a, std::size_t b) {
        const auto& [left, right] = std::pair(program.functions[a], program.functions[b]);
        return left.written->name.span.begin < right.written->name.span.begin;
      });
  const FunctionDefinition& function = program.functions[first];
  std::vector<RelatedSpan> related;
  for (auto at = begin; at != program.checking.end(); ++at) {
    const FunctionDefinition& other = program.functions[*at];
    if (*at != first && other.file == function.file) {
      related.push_back({other.written->name.span, "it is called from here"});
    }
  }
  function.file->report.error(
      DiagnosticCode::K0504, function.written->name.span,
      fmt::format("the function `{}` calls itself", function.written->name.text),
      "a function is written out where it is called, so it cannot be recursive",
      std::move(related));
}

class FunctionChecker {
 public:
  FunctionChecker(Program& program, std::size_t index)
      : program_(program),
        function_(program.functions[index]),
        written_(*function_.written),
        report_(function_.file->report) {}

  void run() {
    bool fine = true;
    Scope scope;
    scope.rows = false;
    for (const ast::Field& field : written_.parameters) {
      if (field.name.empty() || field.type.name.empty()) {
        fine = false;
        continue;
      }
      const std::optional<Type> type = check_type(field.type, report_);
      if (!type) {
        fine = false;
        scope.poisoned.insert(field.name.text);
        continue;
      }
      const Scope::Parameter parameter{
          .local = static_cast<std::uint32_t>(function_.parameters.size()), .type = *type};
      if (field.name.text == "meta" ||
          !scope.parameters.try_emplace(field.name.text, parameter).second) {
        std::vector<RelatedSpan> related;
        if (field.name.text != "meta") related.push_back({first_of(field.name.text), "first here"});
        report_.error(DiagnosticCode::K0202, field.name.span,
                      field.name.text == "meta"
                          ? "`meta` names no parameter"
                          : fmt::format("parameter `{}` is defined twice", field.name.text),
                      "choose another name", std::move(related));
        fine = false;
      }
      function_.parameters.push_back(*type);
    }
    const std::optional<Type> result = check_type(written_.result, report_);
    if (!result || !written_.body) return;
    function_.result = *result;
    ExpressionChecker checker(program_, *function_.file, scope);
    checker.locals = static_cast<std::uint32_t>(function_.parameters.size());
    auto body = checker.of_type(*written_.body, *result,
                                fmt::format("what `{}` gives", written_.name.text));
    if (!body || !fine) return;
    function_.locals = checker.locals;
    function_.size = count_nodes(*body);
    function_.body = std::move(body);
  }

 private:
  Span first_of(std::string_view name) const {
    const auto same = [&](const ast::Field& field) { return field.name.text == name; };
    return std::ranges::find_if(written_.parameters, same)->name.span;
  }

  Program& program_;
  FunctionDefinition& function_;
  const ast::Function& written_;
  Report& report_;
};

/// What other languages and systems call a type; empty where the name is none of theirs.
std::string_view meant_type(std::string_view name) {
  struct Foreign {
    std::string_view name;
    std::string_view meant;
  };
  constexpr std::array foreign{
      Foreign{"int", "i64"},
      Foreign{"integer", "i64"},
      Foreign{"long", "i64"},
      Foreign{"bigint", "i64"},
      Foreign{"i8", "i64"},
      Foreign{"i16", "i64"},
      Foreign{"i32", "i64"},
      Foreign{"u8", "i64"},
      Foreign{"u16", "i64"},
      Foreign{"u32", "i64"},
      Foreign{"u64", "i64"},
      Foreign{"int32", "i64"},
      Foreign{"int64", "i64"},
      Foreign{"float32", "f32"},
      Foreign{"float", "f64"},
      Foreign{"float64", "f64"},
      Foreign{"double", "f64"},
      Foreign{"number", "f64"},
      Foreign{"boolean", "bool"},
      Foreign{"str", "string"},
      Foreign{"text", "string"},
      Foreign{"varchar", "string"},
      Foreign{"char", "string"},
      Foreign{"binary", "bytes"},
      Foreign{"date", "timestamp"},
      Foreign{"time", "timestamp"},
      Foreign{"datetime", "timestamp"},
      Foreign{"interval", "duration"},
  };
  std::string lower{name};
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  const auto* const found = std::ranges::find(foreign, lower, &Foreign::name);
  return found == foreign.end() ? std::string_view{} : found->meant;
}

}  // namespace

std::optional<Type> check_type(const ast::TypeName& written, Report& report) {
  if (written.name.empty()) return std::nullopt;  // damaged, reported
  const auto scalar = scalar_type_named(written.name.text);
  if (!scalar) {
    std::vector<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(ScalarType::Duration); ++i) {
      names.push_back(to_string(static_cast<ScalarType>(i)));
    }
    Diagnostic diagnostic{.code = DiagnosticCode::K0304,
                          .span = written.name.span,
                          .message = fmt::format("unknown type `{}`", written.name.text)};
    std::string_view meant = meant_type(written.name.text);
    if (meant.empty()) meant = did_you_mean(written.name.text, names);
    if (meant.empty()) {
      diagnostic.help = fmt::format("types: `{}`", fmt::join(names, " "));
    } else {
      diagnostic.help = fmt::format("did you mean `{}`?", meant);
      diagnostic.fixes.push_back(
          {written.name.span, std::string{meant}, fmt::format("write `{}`", meant)});
    }
    report.add(std::move(diagnostic));
    return std::nullopt;
  }
  Type type{.scalar = *scalar, .optional = written.optional};
  if (written.width) {
    constexpr std::int64_t widest = 1'000'000;
    if (!type.is_float() || *written.width < 1 || *written.width > widest) {
      report.error(DiagnosticCode::K0304, type.is_float() ? written.width_span : written.name.span,
                   type.is_float() ? "a vector's width is from 1 to 1000000"
                                   : "only `f32` and `f64` have vectors");
      return std::nullopt;
    }
    type.width = static_cast<std::uint32_t>(*written.width);
  }
  return type;
}

void check_function(Program& program, std::size_t index) {
  FunctionDefinition& function = program.functions[index];
  if (function.state == CheckState::Checked) return;
  if (function.state == CheckState::Checking) {
    report_cycle(program, index);
    return;
  }
  if (program.checking.size() >= deepest_calls) {
    function.file->report.error(
        DiagnosticCode::K0101, function.written->name.span,
        fmt::format("more than {} functions that call each other in a row", deepest_calls),
        "write some of them out");
    function.state = CheckState::Checked;
    return;
  }
  function.state = CheckState::Checking;
  program.checking.push_back(index);
  FunctionChecker(program, index).run();
  program.checking.pop_back();
  function.state = CheckState::Checked;
}

Expression written_out(const FunctionDefinition& function, std::vector<Expression> arguments,
                       std::uint32_t& locals) {
  Expression let{.kind = Kind::Let, .local = locals};
  std::vector<Expression> replacements;
  for (Expression& argument : arguments) {
    if (is_substitute(argument)) {
      replacements.push_back(std::move(argument));
      continue;
    }
    replacements.push_back({.kind = Kind::Local, .type = argument.type, .local = locals++});
    let.children.push_back(std::move(argument));
  }
  const std::uint32_t own_base = locals;
  locals += function.locals - static_cast<std::uint32_t>(replacements.size());
  Expression body = *function.body;
  place(body, replacements, own_base);
  if (let.children.empty()) return body;
  let.type = body.type;
  let.children.push_back(std::move(body));
  return let;
}

}  // namespace kaspar::dsl
