#include "dsl/check/expressions.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kaspar::dsl {
namespace {

using ast::Node;

struct MetaColumn {
  std::string_view name;
  MetaField field;
  Type type;
};

const std::vector<MetaColumn> meta_columns{
    {"key", MetaField::Key, {.scalar = ScalarType::Bytes, .optional = true}},
    {"value", MetaField::Value, {.scalar = ScalarType::Bytes, .optional = true}},
    {"topic", MetaField::Topic, {.scalar = ScalarType::String}},
    {"partition", MetaField::Partition, {.scalar = ScalarType::I64}},
    {"offset", MetaField::Offset, {.scalar = ScalarType::I64}},
    {"timestamp", MetaField::Timestamp, {.scalar = ScalarType::Timestamp}},
};

class Resolver {
 public:
  Resolver(const Scope& scope, Report& report) : scope_(scope), report_(report) {}

  std::optional<Expression> run(const Node& node) {
    std::optional<Expression> found = find(node);
    if (found) found->text = std::string{report_.source().text(node.span)};
    return found;
  }

 private:
  std::optional<Expression> find(const Node& node) {
    switch (node.kind) {
      case Node::Kind::Error:
        return std::nullopt;
      case Node::Kind::Integer:
        return literal(ScalarType::I64, std::get<std::int64_t>(node.literal));
      case Node::Kind::Float:
        return literal(ScalarType::F64, std::get<double>(node.literal));
      case Node::Kind::True:
        return literal(ScalarType::Bool, true);
      case Node::Kind::False:
        return literal(ScalarType::Bool, false);
      case Node::Kind::Duration:
        return literal(ScalarType::Duration, std::get<std::chrono::milliseconds>(node.literal));
      case Node::Kind::String: {
        const auto& text = std::get<StringLiteral>(node.literal);
        if (text.constant()) return literal(ScalarType::String, text.text());
        report_.unavailable(node.span, "interpolation");
        return std::nullopt;
      }
      case Node::Kind::Name:
        return column(node);
      case Node::Kind::Member:
        return member(node);
      case Node::Kind::Index:
        if (is_meta(*node.children[0], "headers")) return header(node);
        [[fallthrough]];
      default:
        report_.unavailable(node.span, "such an expression");
        return std::nullopt;
    }
  }

  template <class T>
  static Expression literal(ScalarType scalar, T value) {
    return {.kind = Expression::Kind::Literal,
            .type = {.scalar = scalar},
            .literal = {std::move(value)}};
  }

  static bool is_meta(const Node& node, std::string_view field) {
    return node.kind == Node::Kind::Member && node.text == field &&
           node.children[0]->kind == Node::Kind::Name && node.children[0]->text == "meta";
  }

  [[nodiscard]] bool silent(const std::string& name) const {
    return scope_.unknown || scope_.poisoned.contains(name);
  }

  [[nodiscard]] std::vector<std::string_view> members(const std::string& name) const {
    std::vector<std::string_view> found;
    for (const Column& candidate : scope_.columns.columns) {
      if (candidate.name.starts_with(name + ".")) {
        found.push_back(std::string_view(candidate.name).substr(name.size() + 1));
      }
    }
    return found;
  }

  [[nodiscard]] std::vector<std::string_view> column_names() const {
    std::vector<std::string_view> names;
    for (const Column& candidate : scope_.columns.columns) {
      const std::string_view name =
          std::string_view(candidate.name).substr(0, candidate.name.find('.'));
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  }

  std::optional<Expression> at(std::size_t index) const {
    return Expression{.kind = Expression::Kind::Column,
                      .type = scope_.columns.columns[index].type,
                      .slot = scope_.slots[index]};
  }

  std::optional<Expression> column(const Node& node) {
    if (scope_.poisoned.contains(node.text)) return std::nullopt;
    if (const auto index = scope_.columns.find(node.text)) return at(*index);
    if (silent(node.text)) return std::nullopt;
    const auto parts = members(node.text);
    if (!parts.empty() || node.text == "meta") {
      report_.error(DiagnosticCode::K0302, node.span,
                    fmt::format("`{}` is no value by itself", node.text),
                    fmt::format("name a part of it, such as `{}.{}`", node.text,
                                parts.empty() ? std::string_view("key") : parts.back()));
    } else {
      report_.unknown(node.span, "column", node.text, column_names());
    }
    return std::nullopt;
  }

  std::optional<Expression> member(const Node& node) {
    const Node& whole = *node.children[0];
    if (whole.kind == Node::Kind::Error) return std::nullopt;
    if (whole.kind != Node::Kind::Name) {
      report_.unavailable(node.span, "such an expression");
      return std::nullopt;
    }
    if (whole.text == "meta") return meta(node);
    if (const auto index = scope_.columns.find(whole.text + "." + node.text)) return at(*index);
    if (silent(whole.text)) return std::nullopt;
    const auto parts = members(whole.text);
    if (!parts.empty()) {
      report_.unknown(node.text_span, "member", node.text, parts, whole.text);
    } else if (scope_.columns.find(whole.text)) {
      report_.error(DiagnosticCode::K0302, node.text_span,
                    fmt::format("column `{}` has no members", whole.text));
    } else {
      report_.unknown(whole.span, "column", whole.text, column_names());
    }
    return std::nullopt;
  }

  std::optional<Expression> meta(const Node& node) {
    std::vector<std::string_view> names{"headers"};
    for (const MetaColumn& known : meta_columns) {
      if (known.name == node.text) {
        return Expression{.kind = Expression::Kind::Meta, .type = known.type, .meta = known.field};
      }
      names.push_back(known.name);
    }
    if (node.text == "headers") {
      report_.error(DiagnosticCode::K0302, node.span, "`meta.headers` is no value by itself",
                    "name a header: `meta.headers[\"x\"]`");
    } else {
      report_.unknown(node.text_span, "member", node.text, names, "meta");
    }
    return std::nullopt;
  }

  std::optional<Expression> header(const Node& node) {
    const Node& name = *node.children[1];
    if (name.kind != Node::Kind::String || !std::get<StringLiteral>(name.literal).constant()) {
      if (name.kind != Node::Kind::Error) {
        report_.error(DiagnosticCode::K0302, name.span, "a header's name is a constant string");
      }
      return std::nullopt;
    }
    return Expression{.kind = Expression::Kind::Meta,
                      .type = {.scalar = ScalarType::Bytes, .optional = true},
                      .meta = MetaField::Header,
                      .header = std::get<StringLiteral>(name.literal).text()};
  }

  const Scope& scope_;
  Report& report_;
};

}  // namespace

void Scope::define(const Column& column, Slot slot) {
  poisoned.erase(column.name);
  if (const auto index = columns.find(column.name)) {
    columns.columns[*index] = column;
    slots[*index] = slot;
    return;
  }
  columns.columns.push_back(column);
  slots.push_back(slot);
}

std::optional<Expression> resolve(const ast::Node& node, const Scope& scope, Report& report) {
  return Resolver(scope, report).run(node);
}

}  // namespace kaspar::dsl
