#include "nodes/vectorize/vector.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

namespace kaspar::nodes::vectorize {
namespace {

constexpr std::size_t max_width = 1u << 20;

/// A literal of the language as f32.
float literal_number(const Value& value) noexcept {
  if (const auto* number = value.get<double>()) return static_cast<float>(*number);
  if (const auto* integer = value.get<std::int64_t>()) return static_cast<float>(*integer);
  if (const auto* flag = value.get<bool>()) return *flag ? 1.0F : 0.0F;
  return std::numeric_limits<float>::quiet_NaN();
}

class Concatenate final : public Operator {
 public:
  Concatenate(const StageCall& call, Slot output) : output_(output) {
    for (const Operand& operand : call.operands) operands_.push_back(operand.expression);
  }

  void process(Batch& batch, OperatorState*) const noexcept override {
    const ColumnBuffer& output = batch.column(output_);
    const std::size_t width = output.type.elements();
    for (const Row row : batch.alive()) {
      float* const begin = output.row<float>(row);
      float* out = begin;
      for (const Expression& operand : operands_) out = append(batch, operand, row, out);
      float sum = 0;  // 0·v is 0 for each finite v and NaN for any other
      for (std::size_t i = 0; i < width; ++i) sum += begin[i] * 0.0F;
      if (std::isnan(sum)) fail(batch, row, begin);
    }
  }

 private:
  template <class T>
  static float* convert(const ColumnBuffer& column, Row row, float* out) noexcept {
    const T* const values = column.row<T>(row);
    const std::size_t elements = column.type.elements();
    for (std::size_t i = 0; i < elements; ++i) out[i] = static_cast<float>(values[i]);
    return out + elements;
  }

  static float* append(const Batch& batch, const Expression& operand, Row row,
                       float* out) noexcept {
    if (operand.kind == Expression::Kind::Literal) {
      *out = literal_number(operand.literal);
      return out + 1;
    }
    if (operand.kind == Expression::Kind::Meta) {  // only these two are numbers
      const Record& record = batch.record(row);
      *out = operand.meta == MetaField::Offset
                 ? static_cast<float>(record.offset)
                 : static_cast<float>(batch.records().spans[record.span].partition);
      return out + 1;
    }
    const ColumnBuffer& column = batch.column(operand.slot);
    switch (column.type.scalar) {
      case ScalarType::Bool:
        return convert<bool>(column, row, out);
      case ScalarType::I64:
        return convert<std::int64_t>(column, row, out);
      case ScalarType::F32:
        return convert<float>(column, row, out);
      case ScalarType::F64:
        return convert<double>(column, row, out);
      default:
        return out;
    }
  }

  void fail(Batch& batch, Row row, const float* values) const {
    std::size_t at = 0;
    while (std::isfinite(values[at])) ++at;
    std::size_t first = 0;
    for (const Expression& operand : operands_) {
      const std::size_t elements = operand.type.elements();
      if (at < first + elements) {
        const std::string place = operand.type.is_vector()
                                      ? fmt::format("{}[{}]", operand.text, at - first)
                                      : operand.text;
        return batch.fail(row, DiagnosticCode::K0904,
                          fmt::format("`{}` is not finite as `f32`: {}", place, values[at]));
      }
      first += elements;
    }
  }

  Slot output_;
  std::vector<Expression> operands_;
};

std::expected<Inferred, Issue> infer_vector(const StageCall& call) {
  std::size_t width = 0;
  bool fallible = false;
  for (std::size_t i = 0; i < call.operands.size(); ++i) {
    const Expression& operand = call.operands[i].expression;
    const Type& type = operand.type;
    const IssuePlace place{.part = IssuePlace::Part::Operand, .index = i};
    if (!type.is_numeric()) {
      return std::unexpected(
          Issue{.code = DiagnosticCode::K0302,
                .place = place,
                .message = fmt::format("`vector` takes numbers and vectors of them, not `{}`",
                                       to_string(type.scalar)),
                .label = fmt::format("`{}`", to_string(type))});
    }
    if (type.optional) {
      return std::unexpected(
          Issue{.code = DiagnosticCode::K0301,
                .place = place,
                .message = fmt::format("`{}` may be null", operand.text),
                .label = fmt::format("`{}`", to_string(type)),
                .help = fmt::format("say what null counts as: `{} ?? {}`", operand.text,
                                    type.scalar == ScalarType::Bool  ? "false"
                                    : type.scalar == ScalarType::I64 ? "0"
                                                                     : "0.0")});
    }
    fallible = fallible || type.is_float();
    width += type.elements();
    if (width > max_width) break;
  }
  if (width == 0 || width > max_width) {
    return std::unexpected(
        Issue{.code = DiagnosticCode::K0302,
              .place = {.part = IssuePlace::Part::Node},
              .message = width == 0 ? "a vector needs at least one element"
                                    : fmt::format("a vector has at most {} elements", max_width)});
  }
  return Inferred{.columns = {{.name = call.name,
                               .type = {.scalar = ScalarType::F32,
                                        .width = static_cast<std::uint32_t>(width)}}},
                  .fallible = fallible};
}

std::unique_ptr<Operator> make_vector(const StageBinding& binding) {
  return std::make_unique<Concatenate>(binding.call, binding.writes[0]);
}

}  // namespace

NodeDescriptor describe_vector() {
  return {.role = NodeRole::Stage,
          .name = "vector",
          .summary = "Puts numbers and vectors one behind the other into one vector of `f32`",
          .documentation =
              "Operands are `bool`, `i64`, `f32` and `f64`, scalars or vectors, none of "
              "them optional. A row with a number that is not finite as `f32` fails "
              "with K0904.\n",
          .examples = {"|> vector v = [x, hour, is_open]"},
          .infer = infer_vector,
          .make_operator = make_vector};
}

}  // namespace kaspar::nodes::vectorize
