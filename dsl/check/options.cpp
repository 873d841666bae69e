#include "dsl/check/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>

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
    default:
      return "an expression";
  }
}

std::optional<std::string> constant_text(const Node& node) {
  if (node.kind != Node::Kind::String) return std::nullopt;
  const auto& text = std::get<StringLiteral>(node.literal);
  return text.constant() ? std::optional(text.text()) : std::nullopt;
}

class OptionChecker {
 public:
  OptionChecker(const Scope* scope, const std::string& directory, Report& report,
                CheckedOptions& checked)
      : scope_(scope), directory_(directory), report_(report), checked_(checked) {}

  void option(const ParamDescriptor& param, const Node& node) {
    const std::string name{param.name};
    if (node.kind == Node::Kind::Error) {
      checked_.fine = false;
      return;
    }
    if (param.kind == ParamKind::Expression) return operand(name, node);
    if (param.kind == ParamKind::Expressions) {
      if (node.kind != Node::Kind::Table) return wrong(param, node);
      for (const ast::Entry& entry : node.entries) {
        if (!entry.value) return wrong(param, node);
        operand(name + "." + entry.name.text, *entry.value);
      }
      return;
    }
    std::optional<Value> value = constant(param, node);
    if (!value) return;
    checked_.params.insert_or_assign(name, std::move(*value));
  }

 private:
  void operand(std::string role, const Node& node) {
    if (scope_ == nullptr) return;
    std::optional<Expression> expression = resolve(node, *scope_, report_);
    if (!expression) {
      checked_.fine = false;
      return;
    }
    checked_.operands.push_back({std::move(role), std::move(*expression)});
  }

  void wrong(const ParamDescriptor& param, const Node& node) {
    checked_.fine = false;
    report_.error(DiagnosticCode::K0302, node.span,
                  fmt::format("option `{}` takes {}", param.name, wanted(param.kind)));
  }

  std::optional<Value> refuse(const ParamDescriptor& param, const Node& node) {
    wrong(param, node);
    return std::nullopt;
  }

  std::optional<Value> constant(const ParamDescriptor& param, const Node& node) {
    if (node.kind == Node::Kind::String && !constant_text(node)) {
      checked_.fine = false;
      report_.unavailable(node.span, "interpolation");
      return std::nullopt;
    }
    const Node* number = &node;
    const bool negative = node.kind == Node::Kind::Negate;
    if (negative) number = node.children[0].get();
    const auto* integer = std::get_if<std::int64_t>(&number->literal);
    const auto* real = std::get_if<double>(&number->literal);
    switch (param.kind) {
      case ParamKind::String:
        if (auto text = constant_text(node)) return choice(param, node, *text, Value{*text});
        return refuse(param, node);
      case ParamKind::Word:
        if (node.kind == Node::Kind::Name)
          return choice(param, node, node.text, Value{Word{node.text}});
        if (auto text = constant_text(node); text && param.words.empty()) return Value{*text};
        if (integer != nullptr && !negative && param.words.empty())
          return Value{Word{std::to_string(*integer)}};
        return refuse(param, node);
      case ParamKind::Integer:
        if (integer == nullptr) return refuse(param, node);
        return Value{negative ? -*integer : *integer};
      case ParamKind::Number:
        if (integer != nullptr) return Value{static_cast<double>(*integer) * (negative ? -1 : 1)};
        if (real != nullptr) return Value{negative ? -*real : *real};
        return refuse(param, node);
      case ParamKind::Boolean:
        if (node.kind == Node::Kind::True || node.kind == Node::Kind::False) {
          return Value{node.kind == Node::Kind::True};
        }
        return refuse(param, node);
      case ParamKind::Duration:
        if (const auto* time = std::get_if<std::chrono::milliseconds>(&node.literal))
          return Value{*time};
        return refuse(param, node);
      case ParamKind::File:
        if (node.kind == Node::Kind::File) {
          return Value{
              FilePath{path_from(directory_, std::get<StringLiteral>(node.literal).text()), false}};
        }
        return refuse(param, node);
      case ParamKind::StringList: {
        ValueList list;
        if (node.kind != Node::Kind::List) return refuse(param, node);
        for (const auto& child : node.children) {
          const auto text = constant_text(*child);
          if (!text) return refuse(param, *child);
          list.push_back({*text});
        }
        return Value{std::move(list)};
      }
      case ParamKind::Table: {
        ValueTable table;
        if (node.kind != Node::Kind::Table) return refuse(param, node);
        for (const ast::Entry& entry : node.entries) {
          const Node* value = entry.value.get();
          if (value == nullptr) return refuse(param, node);
          const std::string place = fmt::format("{}.{}", param.name, entry.name.text);
          checked_.values[place] = value->span;
          checked_.values[place + ":"] = entry.name.span;
          if (const auto* whole = std::get_if<std::int64_t>(&value->literal))
            table[entry.name.text] = {*whole};
          else if (auto text = constant_text(*value))
            table[entry.name.text] = {*text};
          else
            return refuse(param, *value);
        }
        return Value{std::move(table)};
      }
      default:
        return refuse(param, node);
    }
  }

  std::optional<Value> choice(const ParamDescriptor& param, const Node& node,
                              const std::string& text, Value value) {
    if (param.words.empty() ||
        std::find(param.words.begin(), param.words.end(), text) != param.words.end()) {
      return value;
    }
    checked_.fine = false;
    report_.error(DiagnosticCode::K0302, node.span,
                  fmt::format("option `{}` does not take `{}`", param.name, text),
                  fmt::format("it takes `{}`", fmt::join(param.words, "`, `")));
    return std::nullopt;
  }

  const Scope* scope_;
  const std::string& directory_;
  Report& report_;
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

std::string path_from(const std::string& directory, const std::string& path) {
  const std::filesystem::path written(path);
  return written.is_absolute() || directory.empty()
             ? path
             : (std::filesystem::path(directory) / written).string();
}

CheckedOptions check_options(const ast::Options& options, const NodeDescriptor& node,
                             Span node_span, const Scope* scope, const std::string& directory,
                             Report& report) {
  CheckedOptions checked;
  bool unknown = false;
  std::map<std::string_view, Span> seen;
  OptionChecker checker(scope, directory, report, checked);
  for (const ast::Entry& entry : options.entries) {
    const auto param =
        std::find_if(node.params.begin(), node.params.end(),
                     [&](const ParamDescriptor& known) { return known.name == entry.name.text; });
    if (param == node.params.end()) {
      unknown = true;
      checked.fine = false;
      if (is_secret(entry.name.text)) {
        report.error(
            DiagnosticCode::K0703, entry.name.span,
            fmt::format("`{}` is a secret, and a pipeline file holds none", entry.name.text),
            "put it into the profile, below `[kafka.options]`");
        continue;
      }
      std::vector<std::string_view> names;
      for (const ParamDescriptor& known : node.params) names.push_back(known.name);
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
    if (!entry.value) continue;
    checked.values[entry.name.text] = entry.value->span;
    checker.option(*param, *entry.value);
  }
  for (const ParamDescriptor& param : node.params) {
    if (seen.contains(param.name)) continue;
    if (!param.default_text.empty() && param.kind != ParamKind::Expression &&
        param.kind != ParamKind::Expressions) {
      checked.params.try_emplace(std::string{param.name}, default_value(param));
    }
    if (param.required && !unknown) {
      checked.fine = false;
      report.error(DiagnosticCode::K0303, node_span,
                   fmt::format("`{}` needs the option `{}`", node.name, param.name),
                   fmt::format("add `{}: …`", param.name));
    }
  }
  return checked;
}

}  // namespace kaspar::dsl
