#include "dsl/check/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <string_view>

#include "dsl/check/constants.hpp"
#include "dsl/lex/secrets.hpp"

namespace kaspar::dsl {
namespace {

using ast::Node;

std::string_view wanted(ParamKind kind) {
  switch (kind) {
    case ParamKind::String:
      return "a string";
    case ParamKind::Integer:
      return "a whole number";
    case ParamKind::Number:
      return "a number";
    case ParamKind::Boolean:
      return "`true` or `false`";
    case ParamKind::Duration:
      return "a duration, such as `100ms`";
    case ParamKind::Word:
      return "a word";
    case ParamKind::File:
      return "a file, written `file \"…\"`";
    case ParamKind::StringList:
      return "a list of strings";
    case ParamKind::Table:
      return "a table, written `{ a = 1 }`";
    case ParamKind::Fields:
      return "an expression, or fields, written `{ a, b = x + 1 }`";
    case ParamKind::Expressions:
      return "a table of expressions, written `{ \"a\" = x }`";
    default:
      return "an expression";
  }
}

class OptionChecker {
 public:
  OptionChecker(ExpressionChecker* expressions, Program& program, FileDefinitions& file,
                CheckedOptions& checked)
      : expressions_(expressions), program_(program), file_(file), checked_(checked) {}

  void option(const ParamDescriptor& param, const Node& node) {
    const std::string name{param.name};
    if (node.kind == Node::Kind::Error) {
      checked_.fine = false;
      return;
    }
    if (param.kind == ParamKind::Expression) return operand(name, node);
    if (param.kind == ParamKind::Fields) {
      if (node.kind == Node::Kind::List) return wrong(param, node);
      std::vector<std::string> path;
      return fields(param, node, path);
    }
    if (param.kind == ParamKind::Expressions) {
      if (node.kind != Node::Kind::Table) return wrong(param, node);
      std::map<std::string_view, Span> seen;
      for (const ast::Entry& entry : node.entries) {
        if (!entry.value) return wrong(param, node);
        if (given_before(seen, entry, "")) continue;
        checked_.values[name + "." + entry.name.text] = entry.value->span;
        operand(name + "." + entry.name.text, *entry.value);
      }
      return;
    }
    std::optional<Value> value = constant_option(param, node);
    if (!value) return;
    checked_.params.insert_or_assign(name, std::move(*value));
  }

 private:
  void operand(std::string role, const Node& node, const std::vector<std::string>& path = {}) {
    if (expressions_ == nullptr) return;
    std::optional<Expression> expression = expressions_->optional(node);
    if (!expression) {
      checked_.fine = false;
      return;
    }
    checked_.operands.push_back({std::move(role), std::move(*expression), path});
    checked_.places.push_back(node.span);
  }

  /// A value, a whole object (a model's result) with its parts, or a table of such.
  void fields(const ParamDescriptor& param, const Node& node, std::vector<std::string>& path) {
    if (node.kind == Node::Kind::Error) {
      checked_.fine = false;
    } else if (node.kind == Node::Kind::Table) {
      table(param, node, path);
    } else if (node.kind == Node::Kind::List) {
      checked_.fine = false;
      file_.report.error(DiagnosticCode::K0302, node.span, "a field is no list",
                         "make it a column before: `|> vector v = […]`");
    } else if (auto parts = expressions_ == nullptr ? std::vector<Expression>{}
                                                    : expressions_->parts_of(node);
               !parts.empty()) {
      for (Expression& part : parts) {
        path.push_back(part.text.substr(node.text.size() + 1));
        checked_.operands.push_back({std::string{param.name}, std::move(part), path});
        checked_.places.push_back(node.span);
        path.pop_back();
      }
    } else {
      operand(std::string{param.name}, node, path);
    }
  }

  void table(const ParamDescriptor& param, const Node& node, std::vector<std::string>& path) {
    if (node.entries.empty()) {
      checked_.fine = false;
      file_.report.error(DiagnosticCode::K0302, node.span, "this has no fields",
                         "name some, such as `{ a, b = x + 1 }`");
    }
    std::map<std::string_view, Span> seen;
    for (const ast::Entry& entry : node.entries) {
      if (given_before(seen, entry, "field ")) continue;
      path.push_back(entry.name.text);
      if (entry.value) {
        fields(param, *entry.value, path);
      } else if (entry.quoted) {
        checked_.fine = false;
        file_.report.error(DiagnosticCode::K0302, entry.name.span, "this field has no value",
                           fmt::format("write `\"{}\" = …`", entry.name.text));
      } else {
        // `{ a }` is `{ a = a }`.
        Node column;
        column.kind = Node::Kind::Name;
        column.span = column.text_span = entry.name.span;
        column.text = entry.name.text;
        fields(param, column, path);
      }
      path.pop_back();
    }
  }

  bool given_before(std::map<std::string_view, Span>& seen, const ast::Entry& entry,
                    std::string_view what) {
    const auto [first, fresh] = seen.try_emplace(entry.name.text, entry.name.span);
    if (fresh) return false;
    checked_.fine = false;
    file_.report.error(DiagnosticCode::K0202, entry.name.span,
                       fmt::format("{}`{}` is given twice", what, entry.name.text), {},
                       {{first->second, "first here"}});
    return true;
  }

  void wrong(const ParamDescriptor& param, const Node& node, std::string help = {}) {
    checked_.fine = false;
    file_.report.error(DiagnosticCode::K0302, node.span,
                       fmt::format("option `{}` takes {}", param.name, wanted(param.kind)),
                       std::move(help));
  }

  std::optional<Value> refuse(const ParamDescriptor& param, const Node& node,
                              std::string help = {}) {
    wrong(param, node, std::move(help));
    return std::nullopt;
  }

  /// Whether the name is one of a parameter, or of an item whose kind cannot be told.
  [[nodiscard]] bool is_param(const std::string& name) const {
    const auto found = file_.by_name.find(name);
    return found != file_.by_name.end() && (found->second.kind == Definition::Kind::Param ||
                                            found->second.kind == Definition::Kind::Unknown);
  }

  std::optional<Constant> value_of(const ParamDescriptor& param, const Node& node) {
    // A bare word that names nothing was meant as text.
    if (node.kind == Node::Kind::Name && !is_param(node.text)) {
      wrong(param, node,
            param.kind == ParamKind::String
                ? fmt::format("text stands in quotes: `\"{}\"`", node.text)
                : std::string{});
      return std::nullopt;
    }
    if (node.kind == Node::Kind::List || node.kind == Node::Kind::Table ||
        node.kind == Node::Kind::File || node.kind == Node::Kind::LinesFile ||
        node.kind == Node::Kind::Null) {
      wrong(param, node);
      return std::nullopt;
    }
    auto value = constant(node, program_, file_);
    if (!value) checked_.fine = false;
    return value;
  }

  std::optional<Value> constant_option(const ParamDescriptor& param, const Node& node) {
    switch (param.kind) {
      case ParamKind::Word:
        return word(param, node);
      case ParamKind::File:
        return file_path(param, node);
      case ParamKind::StringList:
        return strings(param, node);
      case ParamKind::Table:
        return table(param, node);
      default:
        return scalar(param, node);
    }
  }

  std::optional<Value> scalar(const ParamDescriptor& param, const Node& node) {
    auto given = value_of(param, node);
    if (!given) return std::nullopt;
    const ScalarType type = given->type.scalar;
    switch (param.kind) {
      case ParamKind::String:
        if (const auto* text = given->value.get<std::string>();
            text && type == ScalarType::String) {
          return choice(param, node, *text, Value{*text});
        }
        return refuse(param, node);
      case ParamKind::Integer:
        if (type != ScalarType::I64) return refuse(param, node);
        return given->value;
      case ParamKind::Number:
        if (auto number = adapted(given->value, type, ScalarType::F64)) return number;
        return refuse(param, node);
      case ParamKind::Boolean:
        if (type != ScalarType::Bool) return refuse(param, node);
        return given->value;
      case ParamKind::Duration:
        if (type != ScalarType::Duration) return refuse(param, node);
        return given->value;
      default:
        return refuse(param, node);
    }
  }

  std::optional<Value> word(const ParamDescriptor& param, const Node& node) {
    const bool listed =
        std::find(param.words.begin(), param.words.end(), node.text) != param.words.end();
    if (node.kind == Node::Kind::Name && (listed || !is_param(node.text))) {
      return choice(param, node, node.text, Value{Word{node.text}});
    }
    auto given = value_of(param, node);
    if (!given) return std::nullopt;
    const std::string text = text_of(given->value, given->type);
    if (param.words.empty()) return Value{Word{text}};
    if (node.kind != Node::Kind::String) {
      if (given->type.scalar != ScalarType::String) return refuse(param, node);
      return choice(param, node, text, Value{Word{text}});
    }
    const bool meant = std::find(param.words.begin(), param.words.end(), text) != param.words.end();
    return refuse(param, node,
                  meant ? fmt::format("write it without quotes: `{}`", text)
                        : fmt::format("it takes `{}`", fmt::join(param.words, "`, `")));
  }

  std::optional<Value> file_path(const ParamDescriptor& param, const Node& node) {
    if (node.kind != Node::Kind::File && node.kind != Node::Kind::String) {
      return refuse(param, node);
    }
    auto path = interpolated(std::get<StringLiteral>(node.literal), program_, file_);
    if (!path) {
      checked_.fine = false;
      return std::nullopt;
    }
    return Value{FilePath{path_to_read(program_, file_, *path), false}};
  }

  std::optional<Value> strings(const ParamDescriptor& param, const Node& node) {
    if (node.kind != Node::Kind::List) return refuse(param, node);
    ValueList list;
    for (const auto& child : node.children) {
      if (child->kind == Node::Kind::Error) {
        checked_.fine = false;
        return std::nullopt;
      }
      auto given = value_of(param, *child);
      if (!given) return std::nullopt;
      if (given->type.scalar != ScalarType::String) return refuse(param, *child);
      list.push_back(std::move(given->value));
    }
    return Value{std::move(list)};
  }

  std::optional<Value> table(const ParamDescriptor& param, const Node& node) {
    if (node.kind != Node::Kind::Table) return refuse(param, node);
    ValueTable table;
    for (const ast::Entry& entry : node.entries) {
      const Node* value = entry.value.get();
      if (value == nullptr) return refuse(param, node);
      const std::string place = fmt::format("{}.{}", param.name, entry.name.text);
      checked_.values[place] = value->span;
      checked_.values[place + ":"] = entry.name.span;
      auto given = value_of(param, *value);
      if (!given) return std::nullopt;
      if (!table.try_emplace(entry.name.text, std::move(given->value)).second) {
        checked_.fine = false;
        file_.report.error(DiagnosticCode::K0202, entry.name.span,
                           fmt::format("`{}` is given twice", entry.name.text));
        return std::nullopt;
      }
    }
    return Value{std::move(table)};
  }

  std::optional<Value> choice(const ParamDescriptor& param, const Node& node,
                              const std::string& text, Value value) {
    if (param.words.empty() ||
        std::find(param.words.begin(), param.words.end(), text) != param.words.end()) {
      return value;
    }
    checked_.fine = false;
    Diagnostic diagnostic{
        .code = DiagnosticCode::K0302,
        .span = node.span,
        .message = fmt::format("option `{}` does not take `{}`", param.name, text)};
    suggest(diagnostic, text, {param.words.begin(), param.words.end()});
    if (diagnostic.fixes.empty()) {
      diagnostic.help = fmt::format("it takes `{}`", fmt::join(param.words, "`, `"));
    }
    file_.report.add(std::move(diagnostic));
    return std::nullopt;
  }

  ExpressionChecker* expressions_;
  Program& program_;
  FileDefinitions& file_;
  CheckedOptions& checked_;
};

Value default_value(const ParamDescriptor& param) {
  std::string text{param.default_text};
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  switch (param.kind) {
    case ParamKind::Boolean:
      return {text == "true"};
    case ParamKind::Word:
      return {Word{text}};
    case ParamKind::Integer: {
      std::int64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      return {value};
    }
    case ParamKind::Number: {
      double value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      return {value};
    }
    default:
      return {text};
  }
}

}  // namespace

CheckedOptions check_options(const ast::Options& options, const OptionTaker& taker,
                             ExpressionChecker* expressions, Program& program,
                             FileDefinitions& file) {
  CheckedOptions checked;
  Report& report = file.report;
  bool unknown = false;
  std::map<std::string_view, Span> seen;
  OptionChecker checker(expressions, program, file, checked);
  for (const ast::Entry& entry : options.entries) {
    const auto param =
        std::find_if(taker.params.begin(), taker.params.end(),
                     [&](const ParamDescriptor& known) { return known.name == entry.name.text; });
    if (param == taker.params.end()) {
      unknown = true;
      checked.fine = false;
      if (is_secret(entry.name.text)) {
        report.error(
            DiagnosticCode::K0703, entry.name.span,
            fmt::format("`{}` is a secret, and a pipeline file holds none", entry.name.text),
            "put it into the profile, below `[kafka.options]`");
        continue;
      }
      if (entry.name.text == "brokers" || entry.name.text == "bootstrap.servers") {
        report.error(DiagnosticCode::K0201, entry.name.span,
                     fmt::format("unknown option `{}`", entry.name.text),
                     "brokers stand in the profile, below `[kafka]`, or are given by `--brokers`");
        continue;
      }
      std::vector<std::string_view> names;
      for (const ParamDescriptor& known : taker.params) names.push_back(known.name);
      report.unknown(entry.name.span, "option", entry.name.text, names);
      continue;
    }
    const auto [earlier, fresh] = seen.try_emplace(param->name, entry.name.span);
    if (!fresh) {
      checked.fine = false;
      report.error(DiagnosticCode::K0202, entry.name.span,
                   fmt::format("option `{}` is given twice", param->name), {},
                   {{earlier->second, "first here"}});
      continue;
    }
    if (!entry.value) {
      checked.fine = false;
      continue;
    }
    checked.values[entry.name.text] = entry.value->span;
    checker.option(*param, *entry.value);
  }
  for (const ParamDescriptor& param : taker.params) {
    if (seen.contains(param.name)) continue;
    if (!param.default_text.empty() && param.kind != ParamKind::Expression &&
        param.kind != ParamKind::Expressions && param.kind != ParamKind::Fields) {
      checked.params.try_emplace(std::string{param.name}, default_value(param));
    }
    if (param.required && !unknown) {
      checked.fine = false;
      report.error(DiagnosticCode::K0303, taker.span,
                   fmt::format("`{}` needs the option `{}`", taker.name, param.name),
                   fmt::format("add `{}: …`", param.name));
    }
  }
  return checked;
}

}  // namespace kaspar::dsl
