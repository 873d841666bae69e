#include "dsl/check/schema_checker.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "dsl/check/functions.hpp"

namespace kaspar::dsl {
namespace {

/// `t00` as "t", 0, and how many digits are written at least.
struct Numbered {
  std::string_view prefix;
  std::uint64_t number = 0;
  std::size_t digits = 0;
  bool padded = false;
};

std::optional<Numbered> numbered(std::string_view name) {
  std::size_t begin = name.size();
  while (begin > 0 && name[begin - 1] >= '0' && name[begin - 1] <= '9') --begin;
  constexpr std::size_t most_digits = 9;
  Numbered result{.prefix = name.substr(0, begin), .digits = name.size() - begin};
  if (result.digits == 0 || result.digits > most_digits) return std::nullopt;
  std::from_chars(name.data() + begin, name.data() + name.size(), result.number);
  result.padded = result.digits > 1 && name[begin] == '0';
  return result;
}

class SchemaChecker {
 public:
  SchemaChecker(const ast::Schema& written, FileDefinitions& file)
      : written_(written), report_(file.report) {
    made_.schema.name = written.name.text;
  }

  SchemaDefinition run(bool& fine) {
    for (const ast::Field& field : written_.fields) made_.named = made_.named || field.from;
    for (const ast::Field& field : written_.fields) {
      if (field.name.empty() || field.type.name.empty()) continue;
      fine = check(field) && fine;
    }
    return std::move(made_);
  }

 private:
  bool check(const ast::Field& field) {
    const std::optional<Type> type = check_type(field.type, report_);
    if (!type) return false;
    Column column{.name = field.name.text, .type = *type};
    if (field.name.text == "meta") {
      report_.error(DiagnosticCode::K0202, field.name.span, "`meta` names no column",
                    "choose another name");
      return false;
    }
    const auto [first, is_first] = seen_.try_emplace(field.name.text, field.name.span);
    if (!is_first) {
      report_.error(DiagnosticCode::K0202, field.name.span,
                    fmt::format("column `{}` is defined twice", field.name.text),
                    "choose another name", {{first->second, "first here"}});
      return false;
    }
    bool fine = true;
    if (made_.named) fine = origin(field, column);
    made_.schema.columns.push_back(std::move(column));
    return fine;
  }

  bool origin(const ast::Field& field, Column& column) {
    if (!field.from) {
      if (std::exchange(told_missing_, true)) return false;
      report_.error(DiagnosticCode::K0303, field.name.span,
                    fmt::format("other fields say where they come `from`, and `{}` does not",
                                field.name.text),
                    fmt::format("write `{}: {} from \"{}\"`, or leave out every `from`",
                                field.name.text, to_string(column.type), field.name.text));
      return false;
    }
    if (field.from->kind != ast::Node::Kind::String) return false;  // reported
    const auto& first = std::get<StringLiteral>(field.from->literal);
    if (!first.constant() || first.text().empty()) {
      report_.error(first.constant() ? DiagnosticCode::K0302 : DiagnosticCode::K0103,
                    field.from->span,
                    first.constant() ? "the name of an input column is empty"
                                     : "no parameter is put into the name of an input column",
                    first.constant() ? "" : "write `\\$` for the sign itself");
      return false;
    }
    column.origin = first.text();
    return !field.from_to || range(field, column);
  }

  bool range(const ast::Field& field, const Column& column) {
    if (field.from_to->kind != ast::Node::Kind::String) return false;
    const Span span{field.from->span.begin, field.from_to->span.end};
    made_.ranges.insert(column.name);
    if (!column.type.is_vector()) {
      report_.error(DiagnosticCode::K0302, span,
                    fmt::format("`{}` is one value, and comes from several columns", column.name),
                    fmt::format("make it a vector: `{}[N]`",
                                column.type.is_float() ? to_string(column.type) : "f64"));
      return false;
    }
    const auto& literal = std::get<StringLiteral>(field.from_to->literal);
    const std::string last_name = literal.text();
    const auto first = numbered(column.origin);
    const auto last = numbered(last_name);
    if (!literal.constant() || !first || !last || first->prefix != last->prefix ||
        first->number > last->number || (first->padded && first->digits != last->digits)) {
      report_.error(DiagnosticCode::K0302, span,
                    "the names of a range differ in a number at their end, which counts up",
                    "write it as `from \"t0\"..\"t59\"`");
      return false;
    }
    const std::uint64_t count = last->number - first->number + 1;
    if (count == column.type.width) return true;
    report_.error(
        DiagnosticCode::K0302, span,
        fmt::format("these are {} columns, and `{}` is `{}`", count, column.name,
                    to_string(column.type)),
        fmt::format("the range ends with \"{}{}\", or the type is `{}[{}]`", first->prefix,
                    first->number + column.type.width - 1, to_string(column.type.scalar), count));
    return false;
  }

  const ast::Schema& written_;
  Report& report_;
  SchemaDefinition made_;
  std::map<std::string_view, Span> seen_;  // names of fields, and where they stand first
  bool told_missing_ = false;              // that some fields have a `from` and some none
};

}  // namespace

SchemaDefinition check_schema(const ast::Schema& written, FileDefinitions& file, bool& fine) {
  return SchemaChecker(written, file).run(fine);
}

}  // namespace kaspar::dsl
