#include "nodes/expression/reference_evaluator.hpp"

#include <bit>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <regex>
#include <utility>

#include "runtime/core/function_descriptor.hpp"
#include "runtime/core/value_text.hpp"

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;
__extension__ typedef __int128 Wide;
constexpr auto failed = std::unexpected(DiagnosticCode::K0906);

template <class T>
ReferenceResult value(T of) {
  return ReferenceValue{ReferenceScalar{std::move(of)}};
}

ReferenceResult narrow(Wide of) {
  if (of > Wide{INT64_MAX} || of < Wide{INT64_MIN}) return failed;
  return value(static_cast<std::int64_t>(of));
}

template <class T>
const T& as(const ReferenceResult& result) {
  return std::get<T>(**result);
}

ReferenceResult arithmetic(Kind kind, const ReferenceResult& a, const ReferenceResult& b) {
  return std::visit(
      [&](const auto& x) -> ReferenceResult {
        using T = std::decay_t<decltype(x)>;
        if constexpr (std::is_same_v<T, std::string>) {
          return value(x + as<std::string>(b));
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          const Wide left = x;
          const Wide right = as<std::int64_t>(b);
          if (kind == Kind::Add) return narrow(left + right);
          if (kind == Kind::Subtract) return narrow(left - right);
          if (kind == Kind::Multiply) return narrow(left * right);
          if (right == 0) return failed;
          return narrow(kind == Kind::Divide ? left / right : left % right);
        } else if constexpr (std::is_floating_point_v<T>) {
          const T right = as<T>(b);
          if (kind == Kind::Add) return value(x + right);
          if (kind == Kind::Subtract) return value(x - right);
          if (kind == Kind::Multiply) return value(x * right);
          return value(kind == Kind::Divide ? x / right : std::fmod(x, right));
        } else {
          std::abort();
        }
      },
      **a);
}

bool equal(const ReferenceResult& a, const ReferenceResult& b) { return **a == **b; }

bool compare(Kind kind, const ReferenceResult& a, const ReferenceResult& b) {
  const ReferenceScalar& x = **a;
  const ReferenceScalar& y = **b;
  switch (kind) {
    case Kind::Equal:
      return x == y;
    case Kind::NotEqual:
      return !(x == y);
    case Kind::Less:
      return x < y;
    case Kind::LessEqual:
      return x <= y;
    case Kind::Greater:
      return y < x;
    default:
      return y <= x;
  }
}

ReferenceValue literal(const Expression& expression) {
  const Value& of = expression.literal;
  if (const auto* flag = of.get<bool>()) return *flag;
  if (const auto* text = of.get<std::string>()) return *text;
  if (const auto* span = of.get<std::chrono::milliseconds>()) return std::int64_t{span->count()};
  if (const auto* integer = of.get<std::int64_t>()) return *integer;
  if (const auto* number = of.get<double>()) {
    if (expression.type.scalar == ScalarType::F32) return static_cast<float>(*number);
    return *number;
  }
  return std::nullopt;
}

/// Letters whose other case the tests know without the C library.
const std::vector<std::pair<std::string, std::string>> letters = [] {
  std::vector<std::pair<std::string, std::string>> all{
      {"Ä", "ä"}, {"Ж", "ж"}, {"Ⱥ", "ⱥ"}, {"𐐀", "𐐨"}};
  for (char c = 'A'; c <= 'Z'; ++c) {
    all.push_back({std::string(1, c), std::string(1, static_cast<char>(c - 'A' + 'a'))});
  }
  return all;
}();

std::string in_case(const std::string& text, bool lower) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    std::size_t step = 1;
    std::string put = text.substr(i, 1);
    for (const auto& [upper, small] : letters) {
      const std::string& from = lower ? upper : small;
      if (text.compare(i, from.size(), from) != 0) continue;
      step = from.size();
      put = lower ? small : upper;
    }
    out += put;
    i += step;
  }
  return out;
}

ReferenceResult to_integer(const std::string& text) {
  static const std::regex form("[+-]?[0-9]+");
  if (!std::regex_match(text, form)) return failed;
  Wide number = 0;
  for (const char c : text) {
    if (c == '-' || c == '+') continue;
    number = number * 10 + (c - '0');
    if (number > Wide{1} << 100) return failed;
  }
  return narrow(text[0] == '-' ? -number : number);
}

ReferenceResult to_float(const std::string& text) {
  static const std::regex form(
      "[+-]?(([0-9]+(\\.[0-9]*)?|\\.[0-9]+)(e[+-]?[0-9]+)?|(nan|inf|infinity))", std::regex::icase);
  if (!std::regex_match(text, form)) return failed;
  const double number = std::strtod(text.c_str(), nullptr);
  const bool named = text.find_first_of("nN") != text.npos;
  if (std::isinf(number) && !named) return failed;
  return value(number);
}

template <class T>
ReferenceResult cut(T number) {
  if (std::isnan(number) || std::abs(number) >= T{0x1p70}) return failed;
  return narrow(static_cast<Wide>(number));
}

std::string text_of(const Expression& of, const ReferenceResult& result) {
  std::string text;
  const auto floating = [&](auto number) {
    if (std::isnan(number)) return std::string{"nan"};
    if (std::isinf(number)) return std::string{std::signbit(number) ? "-inf" : "inf"};
    append_number(text, number);
    return text;
  };
  switch (of.type.scalar) {
    case ScalarType::Bool:
      return as<bool>(result) ? "true" : "false";
    case ScalarType::F32:
      return floating(as<float>(result));
    case ScalarType::F64:
      return floating(as<double>(result));
    case ScalarType::Timestamp:
      append_timestamp(text, as<std::int64_t>(result));
      return text;
    case ScalarType::Duration:
      append_duration(text, as<std::int64_t>(result));
      return text;
    case ScalarType::I64:
      return std::to_string(as<std::int64_t>(result));
    default:
      return as<std::string>(result);
  }
}

template <class T>
ReferenceResult number_function(std::string_view name, const std::vector<ReferenceResult>& of) {
  const T x = as<T>(of[0]);
  if (name == "abs") return value(std::fabs(x));
  if (name == "floor") return value(std::floor(x));
  if (name == "ceil") return value(std::ceil(x));
  if (name == "round") return value(std::round(x));
  if (name == "sqrt") return value(std::sqrt(x));
  if (name == "log") return value(std::log(x));
  if (name == "exp") return value(std::exp(x));
  if (name == "pow") return value(std::pow(x, as<T>(of[1])));
  std::abort();
}

ReferenceResult extreme(bool least, const std::vector<ReferenceResult>& of) {
  ReferenceResult best = of[0];
  const auto is_nan = [](const ReferenceResult& result) {
    const auto* f32 = std::get_if<float>(&**result);
    const auto* f64 = std::get_if<double>(&**result);
    return (f32 != nullptr && std::isnan(*f32)) || (f64 != nullptr && std::isnan(*f64));
  };
  for (const ReferenceResult& other : of) {
    if (is_nan(best)) break;
    if (is_nan(other) || compare(least ? Kind::Less : Kind::Greater, other, best)) best = other;
  }
  return best;
}

}  // namespace

ReferenceValue value_of_cell(const ColumnBuffer& column, bool optional, Row row) {
  if (optional && column.is_null(row)) return std::nullopt;
  const std::size_t width = column.type.width;
  switch (column.type.scalar) {
    case ScalarType::Bool:
      return *column.row<bool>(row);
    case ScalarType::F32:
      if (width == 0) return *column.row<float>(row);
      return std::vector<float>(column.row<float>(row), column.row<float>(row) + width);
    case ScalarType::F64:
      if (width == 0) return *column.row<double>(row);
      return std::vector<double>(column.row<double>(row), column.row<double>(row) + width);
    case ScalarType::String:
    case ScalarType::Bytes:
      return std::string{*column.row<std::string_view>(row)};
    default:
      return *column.row<std::int64_t>(row);
  }
}

bool is_same(const ReferenceValue& a, const ReferenceValue& b) {
  if (a.has_value() != b.has_value()) return false;
  if (!a) return true;
  if (a->index() != b->index()) return false;
  const auto same_number = [](auto x, auto y) {
    using Bits = std::conditional_t<sizeof(x) == 4, std::uint32_t, std::uint64_t>;
    return (std::isnan(x) && std::isnan(y)) || std::bit_cast<Bits>(x) == std::bit_cast<Bits>(y);
  };
  return std::visit(
      [&](const auto& x) {
        using T = std::decay_t<decltype(x)>;
        const auto& y = std::get<T>(*b);
        if constexpr (std::is_floating_point_v<T>) {
          return same_number(x, y);
        } else if constexpr (std::is_same_v<T, std::vector<float>> ||
                             std::is_same_v<T, std::vector<double>>) {
          return std::ranges::equal(x, y, same_number);
        } else {
          return x == y;
        }
      },
      *a);
}

ReferenceResult ReferenceEvaluator::evaluate(const Expression& expression, Row row) {
  const auto& children = expression.children;
  switch (expression.kind) {
    case Kind::Literal:
      return literal(expression);
    case Kind::Column:
      return value_of_cell(batch_.column(expression.slot), expression.type.optional, row);
    case Kind::Meta:
      return meta(expression, row);
    case Kind::Local:
      return locals_.at(expression.local);
    case Kind::Call:
      return call(expression, row);
    case Kind::Let:
      for (std::size_t i = 0; i + 1 < children.size(); ++i) {
        const ReferenceResult local = evaluate(children[i], row);
        if (!local) return local;
        locals_[expression.local + static_cast<std::uint32_t>(i)] = *local;
      }
      return evaluate(children.back(), row);
    case Kind::Case:
      for (std::size_t i = 0; i + 1 < children.size(); i += 2) {
        const ReferenceResult condition = evaluate(children[i], row);
        if (!condition) return condition;
        if (as<bool>(condition)) return evaluate(children[i + 1], row);
      }
      return evaluate(children.back(), row);
    default:
      break;
  }
  const ReferenceResult a = evaluate(children[0], row);
  if (!a) return a;
  switch (expression.kind) {
    case Kind::And:
      return as<bool>(a) ? evaluate(children[1], row) : a;
    case Kind::Or:
      return as<bool>(a) ? a : evaluate(children[1], row);
    case Kind::Coalesce:
      return a->has_value() ? a : evaluate(children[1], row);
    case Kind::IsNull:
      return value(!a->has_value());
    case Kind::IsPresent:
      return value(a->has_value());
    case Kind::Not:
      return value(!as<bool>(a));
    case Kind::Negate:
      if (const auto* f32 = std::get_if<float>(&**a)) return value(-*f32);
      if (const auto* f64 = std::get_if<double>(&**a)) return value(-*f64);
      return narrow(-Wide{as<std::int64_t>(a)});
    case Kind::In: {
      bool found = false;
      for (std::size_t i = 1; i < children.size(); ++i) {
        const ReferenceResult other = evaluate(children[i], row);
        if (!other) return other;
        found = found || equal(a, other);
      }
      return value(found);
    }
    case Kind::Convert: {
      if (!a->has_value()) return a;
      const ScalarType to = expression.type.scalar;
      if (const auto* f32 = std::get_if<float>(&**a); f32 != nullptr && to == ScalarType::F64) {
        return value(double{*f32});
      }
      if (const auto* wide = std::get_if<std::vector<float>>(&**a);
          wide != nullptr && to == ScalarType::F64) {
        return value(std::vector<double>(wide->begin(), wide->end()));
      }
      if (children[0].type.scalar == ScalarType::Bytes && to == ScalarType::String &&
          !is_utf8(as<std::string>(a))) {
        return std::unexpected(DiagnosticCode::K0902);
      }
      return a;
    }
    default:
      break;
  }
  const ReferenceResult b = evaluate(children[1], row);
  if (!b) return b;
  if (expression.kind == Kind::Element) {
    const std::int64_t at = as<std::int64_t>(b);
    return std::visit(
        [&](const auto& vector) -> ReferenceResult {
          if constexpr (requires {
                          vector.capacity();
                          vector[0] * 1.0;
                        }) {
            if (at < 0 || static_cast<std::uint64_t>(at) >= vector.size()) return failed;
            return value(vector[static_cast<std::size_t>(at)]);
          }
          std::abort();
        },
        **a);
  }
  if (expression.kind >= Kind::Equal && expression.kind <= Kind::GreaterEqual) {
    return value(compare(expression.kind, a, b));
  }
  return arithmetic(expression.kind, a, b);
}

ReferenceResult ReferenceEvaluator::call(const Expression& expression, Row row) {
  std::vector<ReferenceResult> of;
  for (const Expression& child : expression.children) {
    of.push_back(evaluate(child, row));
    if (!of.back()) return of.back();
  }
  const std::string_view name = expression.function->name;
  const Type& type = expression.children[0].type;
  if (name == "min" || name == "max") return extreme(name == "min", of);
  if (name == "len") {
    if (type.is_vector()) return value(std::int64_t{type.width});
    const auto& text = as<std::string>(of[0]);
    std::int64_t count = 0;
    for (const char c : text) {
      if (type.scalar == ScalarType::Bytes || (c & 0xC0) != 0x80) ++count;
    }
    return value(count);
  }
  if (name == "bucket") {
    const Wide buckets = as<std::int64_t>(of[1]);
    if (buckets < 1) return failed;
    std::string key;
    if (of[0]->has_value()) {
      key = type.is_text() ? as<std::string>(of[0]) : std::to_string(as<std::int64_t>(of[0]));
    }
    Wide hash = (Wide{0xcbf29ce4} << 32) + 0x84222325;
    for (const char c : key) {
      hash ^= static_cast<unsigned char>(c);
      hash = (hash * 1099511628211) & Wide{UINT64_MAX};
    }
    return value(static_cast<std::int64_t>(hash % buckets));
  }
  if (name == "hour" || name == "day_of_week") {
    using namespace std::chrono;
    const sys_time<milliseconds> time{milliseconds{as<std::int64_t>(of[0])}};
    const sys_days day = floor<days>(time);
    if (name == "day_of_week") return value(std::int64_t{weekday{day}.iso_encoding()});
    const Wide in_day =
        Wide{as<std::int64_t>(of[0])} - Wide{day.time_since_epoch().count()} * 86'400'000;
    return narrow(in_day / 3'600'000);
  }
  if (name == "is_finite") {
    return std::visit(
        [](const auto& x) -> ReferenceResult {
          if constexpr (std::is_floating_point_v<std::decay_t<decltype(x)>>) {
            return value(static_cast<bool>(std::isfinite(x)));
          } else if constexpr (requires {
                                 x.capacity();
                                 x[0] * 1.0;
                               }) {
            bool all = true;
            for (const auto element : x) all = all && std::isfinite(element);
            return value(all);
          }
          std::abort();
        },
        **of[0]);
  }
  if (name == "to_string") return value(text_of(expression.children[0], of[0]));
  if (name == "to_i64") {
    if (type.is_text()) return to_integer(as<std::string>(of[0]));
    if (type.scalar == ScalarType::F32) return cut(as<float>(of[0]));
    if (type.scalar == ScalarType::F64) return cut(as<double>(of[0]));
    if (type.scalar == ScalarType::Bool) return value(as<bool>(of[0]) ? std::int64_t{1} : 0);
    return of[0];
  }
  if (name == "to_f64") {
    if (type.is_text()) return to_float(as<std::string>(of[0]));
    if (type.scalar == ScalarType::I64) {
      return value(static_cast<double>(as<std::int64_t>(of[0])));
    }
    if (type.scalar == ScalarType::Bool) return value(as<bool>(of[0]) ? 1.0 : 0.0);
    return of[0];
  }
  if (type.is_text()) {
    const auto& text = as<std::string>(of[0]);
    if (name == "lower" || name == "upper") return value(in_case(text, name == "lower"));
    if (name == "trim") {
      std::string rest = text;
      while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest.back())))
        rest.pop_back();
      while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0]))) rest.erase(0, 1);
      return value(rest);
    }
    const auto& part = as<std::string>(of[1]);
    if (name == "contains") return value(text.find(part) != text.npos);
    if (name == "starts_with") return value(text.substr(0, part.size()) == part);
    return value(text.size() >= part.size() && text.substr(text.size() - part.size()) == part);
  }
  if (type.scalar == ScalarType::F32) return number_function<float>(name, of);
  if (type.scalar == ScalarType::F64) return number_function<double>(name, of);
  const Wide number = as<std::int64_t>(of[0]);  // abs
  return narrow(number < 0 ? -number : number);
}

ReferenceResult ReferenceEvaluator::meta(const Expression& expression, Row row) const {
  const Record& record = batch_.record(row);
  const PartitionSpan& span = batch_.records().spans[record.span];
  switch (expression.meta) {
    case MetaField::Key:
      return record.has_key ? ReferenceValue{std::string{record.key}} : std::nullopt;
    case MetaField::Value:
      return record.has_value ? ReferenceValue{std::string{record.value}} : std::nullopt;
    case MetaField::Topic:
      return value(std::string{span.topic});
    case MetaField::Partition:
      return value(std::int64_t{span.partition});
    case MetaField::Offset:
      return value(record.offset);
    case MetaField::Timestamp:
      if (record.timestamp == -1) return std::unexpected(DiagnosticCode::K0905);
      return value(record.timestamp);
    case MetaField::Header:
      break;
  }
  std::vector<Header> headers;
  batch_.records().storage->headers(row, headers);
  ReferenceValue found;
  for (const Header& header : headers) {
    if (header.name != expression.header) continue;
    found = header.has_value ? ReferenceValue{std::string{header.value}} : std::nullopt;
  }
  return found;
}

}  // namespace kaspar::nodes::expression
