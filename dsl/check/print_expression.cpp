#include "dsl/check/print_expression.hpp"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <iterator>

#include "runtime/core/function_descriptor.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::dsl {
namespace {

using Kind = Expression::Kind;

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::Literal:
      return "Literal";
    case Kind::Column:
      return "Column";
    case Kind::Meta:
      return "Meta";
    case Kind::Local:
      return "Local";
    case Kind::Let:
      return "Let";
    case Kind::Negate:
      return "Negate";
    case Kind::Not:
      return "Not";
    case Kind::And:
      return "And";
    case Kind::Or:
      return "Or";
    case Kind::Add:
      return "Add";
    case Kind::Subtract:
      return "Subtract";
    case Kind::Multiply:
      return "Multiply";
    case Kind::Divide:
      return "Divide";
    case Kind::Remainder:
      return "Remainder";
    case Kind::Equal:
      return "Equal";
    case Kind::NotEqual:
      return "NotEqual";
    case Kind::Less:
      return "Less";
    case Kind::LessEqual:
      return "LessEqual";
    case Kind::Greater:
      return "Greater";
    case Kind::GreaterEqual:
      return "GreaterEqual";
    case Kind::In:
      return "In";
    case Kind::IsNull:
      return "IsNull";
    case Kind::IsPresent:
      return "IsPresent";
    case Kind::Coalesce:
      return "Coalesce";
    case Kind::Case:
      return "Case";
    case Kind::Element:
      return "Element";
    case Kind::Convert:
      return "Convert";
    case Kind::Call:
      return "Call";
  }
  return {};
}

constexpr std::array<std::string_view, 7> meta_names{"key",    "value",     "topic",  "partition",
                                                     "offset", "timestamp", "headers"};

void append_expression(std::string& out, const Expression& expression,
                       std::span<const Column> slots, std::size_t indent) {
  fmt::format_to(std::back_inserter(out), "{:{}}{} {}", "", indent, name_of(expression.kind),
                 to_string(expression.type));
  switch (expression.kind) {
    case Kind::Literal:
      out += ' ' + print_value(expression.literal);
      break;
    case Kind::Column:
      fmt::format_to(std::back_inserter(out), " {} #{}",
                     expression.slot < slots.size() ? slots[expression.slot].name : "?",
                     expression.slot);
      break;
    case Kind::Meta:
      fmt::format_to(std::back_inserter(out), " {}",
                     meta_names[static_cast<std::size_t>(expression.meta)]);
      if (expression.meta == MetaField::Header) {
        fmt::format_to(std::back_inserter(out), "[{:?}]", expression.header);
      }
      break;
    case Kind::Local:
    case Kind::Let:
      fmt::format_to(std::back_inserter(out), " {}", expression.local);
      break;
    case Kind::Call:
      fmt::format_to(std::back_inserter(out), " {}",
                     expression.function == nullptr ? "?" : expression.function->name);
      break;
    default:
      break;
  }
  out += '\n';
  for (const Expression& child : expression.children) {
    append_expression(out, child, slots, indent + 2);
  }
}

struct ValuePrinter {
  std::string& out;

  void operator()(std::monostate) const { out += "null"; }
  void operator()(bool value) const { out += value ? "true" : "false"; }
  void operator()(std::int64_t value) const { append_number(out, value); }
  void operator()(double value) const {
    if (std::isfinite(value)) {
      append_number(out, value);
    } else {
      fmt::format_to(std::back_inserter(out), "{}", value);
    }
  }
  void operator()(const std::string& value) const {
    fmt::format_to(std::back_inserter(out), "{:?}", value);
  }
  void operator()(std::chrono::milliseconds value) const { append_duration(out, value.count()); }
  void operator()(const Word& value) const { out += value.text; }
  void operator()(const FilePath& value) const {
    fmt::format_to(std::back_inserter(out), "{}file {:?}", value.lines ? "lines " : "", value.path);
  }
  void operator()(const ValueList& values) const {
    out += '[';
    bool first = true;
    for (const Value& value : values) {
      if (!first) out += ", ";
      first = false;
      std::visit(*this, value.data);
    }
    out += ']';
  }
  void operator()(const ValueTable& table) const {
    out += '{';
    bool first = true;
    for (const auto& [name, value] : table) {
      fmt::format_to(std::back_inserter(out), "{} {} = ", first ? "" : ",", name);
      first = false;
      std::visit(*this, value.data);
    }
    out += table.empty() ? "}" : " }";
  }
};

}  // namespace

std::string print_value(const Value& value) {
  std::string out;
  std::visit(ValuePrinter{out}, value.data);
  return out;
}

std::string print_expression(const Expression& expression, std::span<const Column> slots,
                             std::size_t indent) {
  std::string out;
  append_expression(out, expression, slots, indent);
  return out;
}

}  // namespace kaspar::dsl
