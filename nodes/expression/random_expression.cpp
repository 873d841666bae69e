#include "nodes/expression/random_expression.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace kaspar::nodes::expression {
namespace {

using Kind = Expression::Kind;

constexpr std::array scalars{ScalarType::Bool,      ScalarType::I64,     ScalarType::F32,
                             ScalarType::F64,       ScalarType::String,  ScalarType::Bytes,
                             ScalarType::Timestamp, ScalarType::Duration};

const std::vector<std::string>& texts() {
  static const std::vector<std::string> all{"",
                                            "a",
                                            "A",
                                            "abc",
                                            "ABC",
                                            " a b ",
                                            "\t\n",
                                            "Ä",
                                            "ä",
                                            "ЖжⱥȺ",
                                            "𐐀x𐐨",
                                            "straße",
                                            "12",
                                            "-7",
                                            "+5",
                                            "+-5",
                                            "--5",
                                            "9223372036854775807",
                                            "9223372036854775808",
                                            "-9223372036854775808",
                                            "123456789012345678901234567890",
                                            "1.5",
                                            "-2.5e3",
                                            ".5",
                                            "5.",
                                            "1e400",
                                            "-1e400",
                                            "1e-400",
                                            "nan",
                                            "NaN",
                                            "inf",
                                            "-inf",
                                            "Infinity",
                                            "12x",
                                            " 12",
                                            "\xFF",
                                            "\xC3",
                                            "a\xFF\x41",
                                            "\xED\xA0\x80",
                                            "\xF4\x90\x80\x80",
                                            std::string("nul\0inside", 10),
                                            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
                                            "0",
                                            "true",
                                            "hello world"};
  return all;
}

class RandomHeaders final : public RecordStorage {
 public:
  explicit RandomHeaders(std::uint64_t seed) : seed_(seed) {}
  void release() noexcept override {}
  void headers(std::size_t row, std::vector<Header>& headers) const override {
    Random random(seed_ + row);
    for (std::size_t i = random.below(4); i-- > 0;) {
      headers.push_back({.name = random.one_in(2) ? "x" : "y",
                         .value = random_text(random),
                         .has_value = !random.one_in(4)});
    }
  }

 private:
  std::uint64_t seed_;
};

}  // namespace

const std::vector<Column>& random_columns() {
  static const std::vector<Column> columns = [] {
    std::vector<Column> all;
    for (const ScalarType scalar : scalars) {
      const std::string name{to_string(scalar)};
      all.push_back({.name = name, .type = {.scalar = scalar}});
      all.push_back({.name = name + "_or_null", .type = {.scalar = scalar, .optional = true}});
    }
    all.push_back({.name = "f32s", .type = {.scalar = ScalarType::F32, .width = 3}});
    all.push_back({.name = "f32s_or_null",
                   .type = {.scalar = ScalarType::F32, .width = 3, .optional = true}});
    all.push_back({.name = "f64s", .type = {.scalar = ScalarType::F64, .width = 3}});
    all.push_back({.name = "f64s_or_null",
                   .type = {.scalar = ScalarType::F64, .width = 3, .optional = true}});
    return all;
  }();
  return columns;
}

std::int64_t random_integer(Random& random) {
  constexpr std::array<std::int64_t, 14> limits{0,
                                                1,
                                                2,
                                                -1,
                                                -2,
                                                3,
                                                7,
                                                INT64_MAX,
                                                INT64_MIN,
                                                INT64_MAX - 1,
                                                INT64_MIN + 1,
                                                1'000'000'000'000,
                                                86'400'000,
                                                -86'400'001};
  if (random.one_in(2)) return limits[random.below(limits.size())];
  if (random.one_in(2)) return static_cast<std::int64_t>(random.bits());
  return static_cast<std::int64_t>(random.below(20)) - 10;
}

double random_number(Random& random) {
  using Limits = std::numeric_limits<double>;
  constexpr std::array limits{0.0,
                              -0.0,
                              1.0,
                              -1.0,
                              0.5,
                              2.5,
                              -2.5,
                              Limits::infinity(),
                              -Limits::infinity(),
                              Limits::quiet_NaN(),
                              Limits::max(),
                              Limits::denorm_min(),
                              9.2233720368547748e18,
                              -9.2233720368547758e18,
                              1e300,
                              3.4e38,
                              1e-46};
  if (random.one_in(2)) return limits[random.below(limits.size())];
  if (random.one_in(4)) return std::bit_cast<double>(random.bits());
  return (static_cast<double>(random.below(2001)) - 1000) / 8;
}

std::string_view random_text(Random& random) { return texts()[random.below(texts().size())]; }

std::unique_ptr<RecordBatch> random_records(Random& random, std::size_t count) {
  auto records = std::make_unique<RecordBatch>();
  records->spans = {{.topic = "clicks", .partition = 0}, {.topic = "orders", .partition = 17}};
  for (std::size_t i = 0; i < count; ++i) {
    records->records.push_back({.key = random_text(random),
                                .value = random_text(random),
                                .timestamp = random.one_in(4) ? -1 : random_integer(random),
                                .offset = static_cast<std::int64_t>(i) * 3,
                                .span = static_cast<std::uint32_t>(random.below(2)),
                                .has_key = !random.one_in(3),
                                .has_value = !random.one_in(3)});
  }
  records->storage = std::make_unique<RandomHeaders>(random.bits());
  return records;
}

void fill_randomly(Random& random, Batch& batch) {
  for (Slot slot = 0; slot < random_columns().size(); ++slot) {
    const ColumnBuffer& column = batch.column(slot);
    const std::size_t elements = batch.rows() * column.type.elements();
    for (std::size_t i = 0; i < elements; ++i) {
      switch (column.type.scalar) {
        case ScalarType::Bool:
          column.values<bool>()[i] = random.one_in(2);
          break;
        case ScalarType::F32:
          column.values<float>()[i] = static_cast<float>(random_number(random));
          break;
        case ScalarType::F64:
          column.values<double>()[i] = random_number(random);
          break;
        case ScalarType::String:
        case ScalarType::Bytes:
          column.values<std::string_view>()[i] = random_text(random);
          break;
        default:
          column.values<std::int64_t>()[i] = random_integer(random);
      }
    }
    if (column.valid == nullptr) continue;
    for (std::size_t row = 0; row < batch.rows(); ++row)
      column.valid[row] = random.one_in(3) ? 0 : 1;
  }
  if (random.one_in(2)) return;
  const std::size_t rarity = 1 + random.below(6);
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    if (random.one_in(rarity)) batch.discard(static_cast<Row>(row));
  }
  batch.end_stage();
}

Expression RandomExpressions::node(Kind kind, Type type, std::vector<Expression> children,
                                   std::string_view sign) {
  Expression made{.kind = kind, .type = type};
  made.text = "(";
  for (std::size_t i = 0; i < children.size(); ++i) {
    if (i != 0 || children.size() == 1) (made.text += sign) += ' ';
    made.text += children[i].text + (i + 1 < children.size() ? " " : ")");
  }
  made.children = std::move(children);
  return made;
}

Expression RandomExpressions::call(std::string_view name, std::vector<Expression> arguments) {
  const FunctionDescriptor* const function = registry_.find_function(name);
  std::vector<Argument> types;
  types.reserve(arguments.size());
  for (const Expression& argument : arguments) types.push_back({.type = argument.type});
  Expression made{
      .kind = Kind::Call, .type = function->resolve(types).value().result, .function = function};
  made.text = std::string{name} + "(";
  for (const Expression& argument : arguments) {
    made.text += (&argument == arguments.data() ? "" : ", ") + argument.text;
  }
  made.text += ")";
  made.children = std::move(arguments);
  return made;
}

Type RandomExpressions::any_scalar() { return {.scalar = scalars[random_.below(scalars.size())]}; }

Expression RandomExpressions::literal(ScalarType scalar) {
  Expression made{.kind = Kind::Literal, .type = {.scalar = scalar}};
  switch (scalar) {
    case ScalarType::Bool:
      made.literal = {random_.one_in(2)};
      made.text = *made.literal.get<bool>() ? "true" : "false";
      break;
    case ScalarType::F32:
    case ScalarType::F64:
      made.literal = {random_number(random_)};
      made.text = std::to_string(*made.literal.get<double>());
      break;
    case ScalarType::String:
    case ScalarType::Bytes:
      made.literal = {std::string{random_text(random_)}};
      made.text = '"' + *made.literal.get<std::string>() + '"';
      break;
    case ScalarType::Duration:
      made.literal = {std::chrono::milliseconds{random_integer(random_)}};
      made.text = std::to_string(made.literal.get<std::chrono::milliseconds>()->count()) + "ms";
      break;
    default:
      made.literal = {random_integer(random_)};
      made.text = std::to_string(*made.literal.get<std::int64_t>());
  }
  return made;
}

Expression RandomExpressions::column(const Type& type) {
  std::vector<Slot> fitting;
  for (Slot slot = 0; slot < random_columns().size(); ++slot) {
    // One that may be null, taken as if a filter had narrowed it, is read whatever it holds.
    const Type& is = random_columns()[slot].type;
    if (is.scalar == type.scalar && is.width == type.width && (is.optional || !type.optional)) {
      fitting.push_back(slot);
    }
  }
  const Slot slot = fitting[random_.below(fitting.size())];
  return {.kind = Kind::Column, .type = type, .slot = slot, .text = random_columns()[slot].name};
}

Expression RandomExpressions::meta(ScalarType scalar) {
  Expression made{.kind = Kind::Meta, .type = {.scalar = scalar}};
  const auto set = [&](MetaField field, std::string_view text) {
    made.meta = field;
    made.text = text;
  };
  switch (scalar) {
    case ScalarType::I64:
      random_.one_in(2) ? set(MetaField::Offset, "meta.offset")
                        : set(MetaField::Partition, "meta.partition");
      break;
    case ScalarType::String:
      set(MetaField::Topic, "meta.topic");
      break;
    case ScalarType::Timestamp:
      set(MetaField::Timestamp, "meta.timestamp");
      break;
    default:
      made.type = {.scalar = ScalarType::Bytes, .optional = true};
      made.header = "x";
      random_.one_in(2)   ? set(MetaField::Header, "meta.headers[\"x\"]")
      : random_.one_in(2) ? set(MetaField::Key, "meta.key")
                          : set(MetaField::Value, "meta.value");
  }
  return made;
}

Expression RandomExpressions::leaf(const Type& type) {
  if (!locals_.empty() && random_.one_in(2)) {
    const std::size_t local = random_.below(locals_.size());
    const Type& is = locals_[local];
    if (is.scalar == type.scalar && is.width == type.width && is.optional == type.optional) {
      return {.kind = Kind::Local,
              .type = type,
              .text = "$" + std::to_string(local),
              .local = static_cast<std::uint32_t>(local)};
    }
  }
  const bool has_meta = type.scalar == ScalarType::I64 || type.scalar == ScalarType::String ||
                        type.scalar == ScalarType::Timestamp;
  if (!type.optional && has_meta && random_.one_in(4)) return meta(type.scalar);
  if (type.optional && type.scalar == ScalarType::Bytes && random_.one_in(2)) {
    return meta(ScalarType::Bytes);
  }
  if (!type.optional && !type.is_vector() && random_.one_in(3)) return literal(type.scalar);
  return column(type);
}

Expression RandomExpressions::let(const Type& type, int depth) {
  const std::size_t outer = locals_.size();
  std::vector<Expression> children;
  for (std::size_t i = 1 + random_.below(2); i-- > 0;) {
    Type of = any_scalar();
    of.optional = random_.one_in(3);
    if (random_.one_in(5)) of = {.scalar = ScalarType::F32, .width = 3};
    if (random_.one_in(3)) of = type;
    children.push_back(make(of, depth - 1));
    locals_.push_back(of);
  }
  children.push_back(make(type, depth - 1));
  locals_.resize(outer);
  Expression made = node(Kind::Let, type, std::move(children), ";");
  made.local = static_cast<std::uint32_t>(outer);
  made.text = "let $" + std::to_string(outer) + made.text;
  return made;
}

Expression RandomExpressions::choice(const Type& type, int depth) {
  std::vector<Expression> children;
  for (std::size_t i = 1 + random_.below(3); i-- > 0;) {
    children.push_back(make({.scalar = ScalarType::Bool}, depth - 1));
    children.push_back(make(type, depth - 1));
  }
  children.push_back(make(type, depth - 1));
  return node(Kind::Case, type, std::move(children), "then/else");
}

Expression RandomExpressions::optional(const Type& type, int depth) {
  Type bare = type;
  bare.optional = false;
  switch (random_.below(5)) {
    case 0:
      return node(Kind::Convert, type, {make(bare, depth - 1)}, "to " + to_string(type));
    case 1:
      return node(Kind::Coalesce, type, {make(type, depth - 1), make(type, depth - 1)}, "??");
    case 2:
      if (type.scalar == ScalarType::String || type.scalar == ScalarType::F64) {
        Type from = type;
        from.scalar = type.scalar == ScalarType::F64 ? ScalarType::F32 : ScalarType::Bytes;
        if (random_.one_in(3)) from.optional = false;
        return node(Kind::Convert, type, {make(from, depth - 1)}, "to " + to_string(type));
      }
      [[fallthrough]];
    default:
      return leaf(type);
  }
}

Expression RandomExpressions::make(const Type& type, int depth) {
  if (depth <= 0) return leaf(type);
  if (random_.one_in(8)) return leaf(type);
  if (random_.one_in(10)) return let(type, depth);
  if (random_.one_in(8)) return choice(type, depth);
  if (type.optional) return optional(type, depth);
  if (random_.one_in(8)) {
    Type nullable = type;
    nullable.optional = true;
    return node(Kind::Coalesce, type, {make(nullable, depth - 1), make(type, depth - 1)}, "??");
  }
  if (type.is_vector()) return vector(type, depth);
  switch (type.scalar) {
    case ScalarType::Bool:
      return boolean(depth);
    case ScalarType::I64:
      return integer(depth);
    case ScalarType::F32:
    case ScalarType::F64:
      return floating(type.scalar, depth);
    case ScalarType::String:
      return text(depth);
    case ScalarType::Bytes:
      return node(Kind::Convert, type, {make({.scalar = ScalarType::String}, depth - 1)},
                  "to bytes");
    case ScalarType::Timestamp: {
      const Expression time = make(type, depth - 1);
      const Expression span = make({.scalar = ScalarType::Duration}, depth - 1);
      switch (random_.below(4)) {
        case 0:
          return node(Kind::Add, type, {time, span}, "+");
        case 1:
          return node(Kind::Add, type, {span, time}, "+");
        case 2:
          return node(Kind::Subtract, type, {time, span}, "-");
        default:
          return call(random_.one_in(2) ? "min" : "max", {time, make(type, depth - 1)});
      }
    }
    case ScalarType::Duration:
      switch (random_.below(6)) {
        case 0:
          return node(Kind::Subtract, type,
                      {make({.scalar = ScalarType::Timestamp}, depth - 1),
                       make({.scalar = ScalarType::Timestamp}, depth - 1)},
                      "-");
        case 1:
          return node(Kind::Add, type, {make(type, depth - 1), make(type, depth - 1)}, "+");
        case 2:
          return node(Kind::Subtract, type, {make(type, depth - 1), make(type, depth - 1)}, "-");
        case 3:
          return node(Kind::Negate, type, {make(type, depth - 1)}, "-");
        case 4:
          return call("abs", {make(type, depth - 1)});
        default:
          return call("max", {make(type, depth - 1), make(type, depth - 1), leaf(type)});
      }
  }
  return leaf(type);
}

Expression RandomExpressions::boolean(int depth) {
  const Type type{.scalar = ScalarType::Bool};
  Type of = any_scalar();
  switch (random_.below(12)) {
    case 0:
      return node(Kind::Not, type, {make(type, depth - 1)}, "not");
    case 1:
    case 2:
      return node(Kind::And, type, {make(type, depth - 1), make(type, depth - 1)}, "and");
    case 3:
    case 4:
      return node(Kind::Or, type, {make(type, depth - 1), make(type, depth - 1)}, "or");
    case 5: {
      of.optional = true;
      if (random_.one_in(6)) of = {.scalar = ScalarType::F32, .width = 3, .optional = true};
      const bool null = random_.one_in(2);
      return node(null ? Kind::IsNull : Kind::IsPresent, type, {make(of, depth - 1)},
                  null ? "null==" : "null!=");
    }
    case 6: {
      std::vector<Expression> children{make(of, depth - 1)};
      const bool many = random_.one_in(4);
      for (std::size_t i = many ? 30 : random_.below(4); i-- > 0;) {
        children.push_back(many || random_.one_in(2) ? literal(of.scalar) : make(of, depth - 1));
      }
      return node(Kind::In, type, std::move(children), "in");
    }
    case 7: {
      constexpr std::array<std::string_view, 3> names{"contains", "starts_with", "ends_with"};
      const Type string{.scalar = ScalarType::String};
      return call(names[random_.below(3)], {make(string, depth - 1), make(string, depth - 1)});
    }
    case 8: {
      of.scalar = random_.one_in(2) ? ScalarType::F32 : ScalarType::F64;
      of.width = random_.one_in(2) ? 3 : 0;
      return call("is_finite", {make(of, depth - 1)});
    }
    default: {
      constexpr std::array<std::pair<Kind, std::string_view>, 6> kinds{
          {{Kind::Equal, "=="},
           {Kind::NotEqual, "!="},
           {Kind::Less, "<"},
           {Kind::LessEqual, "<="},
           {Kind::Greater, ">"},
           {Kind::GreaterEqual, ">="}}};
      const auto [kind, sign] = kinds[random_.below(of.scalar == ScalarType::Bool ? 2 : 6)];
      return node(kind, type, {make(of, depth - 1), make(of, depth - 1)}, sign);
    }
  }
}

Expression RandomExpressions::integer(int depth) {
  const Type type{.scalar = ScalarType::I64};
  constexpr std::array<std::pair<Kind, std::string_view>, 5> kinds{{{Kind::Add, "+"},
                                                                    {Kind::Subtract, "-"},
                                                                    {Kind::Multiply, "*"},
                                                                    {Kind::Divide, "/"},
                                                                    {Kind::Remainder, "%"}}};
  switch (random_.below(13)) {
    case 0:
      return node(Kind::Negate, type, {make(type, depth - 1)}, "-");
    case 1:
    case 2: {
      Type from = any_scalar();
      if (from.scalar == ScalarType::Bytes) from.scalar = ScalarType::String;
      return call("to_i64", {make(from, depth - 1)});
    }
    case 3: {
      Type of{.scalar = random_.one_in(2) ? ScalarType::String : ScalarType::Bytes};
      if (random_.one_in(3)) of = {.scalar = ScalarType::F64, .width = 3};
      return call("len", {make(of, depth - 1)});
    }
    case 4: {
      constexpr std::array keys{ScalarType::String, ScalarType::Bytes, ScalarType::I64};
      const Type key{.scalar = keys[random_.below(3)], .optional = random_.one_in(2)};
      return call("bucket", {make(key, depth - 1), make(type, depth - 1)});
    }
    case 5:
      return call(random_.one_in(2) ? "hour" : "day_of_week",
                  {make({.scalar = ScalarType::Timestamp}, depth - 1)});
    case 6:
      return call("abs", {make(type, depth - 1)});
    case 7:
      return call(random_.one_in(2) ? "min" : "max",
                  {make(type, depth - 1), make(type, depth - 1), make(type, depth - 1)});
    default: {
      const auto [kind, sign] = kinds[random_.below(5)];
      return node(kind, type, {make(type, depth - 1), make(type, depth - 1)}, sign);
    }
  }
}

Expression RandomExpressions::floating(ScalarType scalar, int depth) {
  const Type type{.scalar = scalar};
  constexpr std::array<std::pair<Kind, std::string_view>, 5> kinds{{{Kind::Add, "+"},
                                                                    {Kind::Subtract, "-"},
                                                                    {Kind::Multiply, "*"},
                                                                    {Kind::Divide, "/"},
                                                                    {Kind::Remainder, "%"}}};
  switch (random_.below(12)) {
    case 0:
      return node(Kind::Negate, type, {make(type, depth - 1)}, "-");
    case 1:
    case 2:
      return node(Kind::Element, type,
                  {make({.scalar = scalar, .width = 3}, depth - 1),
                   make({.scalar = ScalarType::I64}, random_.one_in(2) ? 0 : depth - 1)},
                  "[]");
    case 3: {
      constexpr std::array<std::string_view, 7> names{"floor", "ceil", "round", "sqrt",
                                                      "log",   "exp",  "abs"};
      return call(names[random_.below(names.size())], {make(type, depth - 1)});
    }
    case 4:
      return call("pow", {make(type, depth - 1), make(type, depth - 1)});
    case 5:
      return call(random_.one_in(2) ? "min" : "max",
                  {make(type, depth - 1), make(type, depth - 1)});
    case 6:
      if (scalar == ScalarType::F64) {
        constexpr std::array from{ScalarType::I64, ScalarType::Bool, ScalarType::String,
                                  ScalarType::F64};
        return call("to_f64", {make({.scalar = from[random_.below(4)]}, depth - 1)});
      }
      [[fallthrough]];
    case 7:
      if (scalar == ScalarType::F64) {
        return node(Kind::Convert, type, {make({.scalar = ScalarType::F32}, depth - 1)}, "to f64");
      }
      [[fallthrough]];
    default: {
      const auto [kind, sign] = kinds[random_.below(5)];
      return node(kind, type, {make(type, depth - 1), make(type, depth - 1)}, sign);
    }
  }
}

Expression RandomExpressions::text(int depth) {
  const Type type{.scalar = ScalarType::String};
  switch (random_.below(7)) {
    case 0:
    case 1:
      return node(Kind::Add, type, {make(type, depth - 1), make(type, depth - 1)}, "+");
    case 2:
      return node(Kind::Convert, type, {make({.scalar = ScalarType::Bytes}, depth - 1)},
                  "to string");
    case 3: {
      Type from = any_scalar();
      if (from.scalar == ScalarType::Bytes) from.scalar = ScalarType::String;
      return call("to_string", {make(from, depth - 1)});
    }
    case 4:
      return call(random_.one_in(2) ? "min" : "max",
                  {make(type, depth - 1), make(type, depth - 1)});
    default: {
      constexpr std::array<std::string_view, 3> names{"lower", "upper", "trim"};
      return call(names[random_.below(3)], {make(type, depth - 1)});
    }
  }
}

Expression RandomExpressions::vector(const Type& type, int depth) {
  if (type.scalar == ScalarType::F64 && random_.one_in(2)) {
    Type from = type;
    from.scalar = ScalarType::F32;
    return node(Kind::Convert, type, {make(from, depth - 1)}, "to " + to_string(type));
  }
  return leaf(type);
}

}  // namespace kaspar::nodes::expression
