#include "nodes/vectorize/standardize.hpp"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "nodes/vectorize/scaler.hpp"

namespace kaspar::nodes::vectorize {
namespace {

template <class T>
class Standardize final : public Operator {
 public:
  Standardize(Slot input, Slot output, std::string name, const Scaler& scaler)
      : input_(input),
        output_(output),
        name_(std::move(name)),
        mean_(scaler.mean().begin(), scaler.mean().end()),
        std_(scaler.std().begin(), scaler.std().end()) {}

  void process(Batch& batch, OperatorState*) const noexcept override {
    const ColumnBuffer& input = batch.column(input_);
    const ColumnBuffer& output = batch.column(output_);
    const std::size_t width = mean_.size();
    for (const Row row : batch.alive()) {
      const T* const x = input.row<T>(row);
      T* const y = output.row<T>(row);
      for (std::size_t i = 0; i < width; ++i) y[i] = (x[i] - mean_[i]) / std_[i];
      // One test a row, also of what is finite but overflows by the division: only an exponent of
      // ones carries into the sign when one is added to it. Unlike a sum of floats, vectors do
      // that.
      Bits carried = 0;
      for (std::size_t i = 0; i < width; ++i) {
        carried |= (std::bit_cast<Bits>(y[i]) & exponent) + lowest_exponent_bit;
      }
      if ((carried & ~(~Bits{0} >> 1)) != 0) fail(batch, row, x, y);
    }
  }

 private:
  using Bits = std::conditional_t<sizeof(T) == sizeof(float), std::uint32_t, std::uint64_t>;
  static constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  static constexpr Bits lowest_exponent_bit = std::bit_cast<Bits>(std::numeric_limits<T>::min());

  void fail(Batch& batch, Row row, const T* x, const T* y) const {
    std::size_t at = 0;
    while (at + 1 < mean_.size() && std::isfinite(y[at])) ++at;
    const bool vector = batch.column(input_).type.is_vector();
    const std::string place = vector ? fmt::format("{}[{}]", name_, at) : name_;
    batch.fail(row, DiagnosticCode::K0904,
               std::isfinite(x[at]) ? fmt::format("`{}` overflows: {}", place, x[at])
                                    : fmt::format("`{}` is not finite: {}", place, x[at]));
  }

  Slot input_;
  Slot output_;
  std::string name_;
  std::vector<T> mean_;
  std::vector<T> std_;
};

Issue wrong_operand(DiagnosticCode code, std::string message, std::string label, std::string help) {
  return {.code = code,
          .place = {.part = IssuePlace::Part::Operand, .index = 0},
          .message = std::move(message),
          .label = std::move(label),
          .help = std::move(help)};
}

std::expected<Inferred, Issue> infer_standardize(const StageCall& call) {
  const Expression& operand = call.operands.front().expression;
  const Type type = operand.type;
  if (operand.kind != Expression::Kind::Column || !type.is_float()) {
    return std::unexpected(wrong_operand(
        DiagnosticCode::K0302,
        "`standardize` takes a column of `f32` or `f64`, or a vector of them",
        fmt::format("`{}` is `{}`", operand.text, to_string(type)),
        type.scalar == ScalarType::I64 ? "declare the column as `f32` or `f64` in its schema"
                                       : ""));
  }
  if (type.optional) {
    return std::unexpected(wrong_operand(
        DiagnosticCode::K0301, fmt::format("`{}` may be null", operand.text),
        fmt::format("`{}`", to_string(type)),
        type.width != 0
            ? fmt::format("declare `{}` without `?` in its schema: a row without it then fails",
                          operand.text)
            : fmt::format("give a value for null before: `|> derive {{ {0} = {0} ?? 0.0 }}`",
                          operand.text)));
  }
  auto scaler = load_scaler(call.file, type);
  if (!scaler) return std::unexpected(std::move(scaler.error()));
  return Inferred{.columns = {{.name = operand.text, .type = type}},
                  .fallible = true,
                  .resource = std::move(*scaler)};
}

std::unique_ptr<Operator> make_standardize(const StageBinding& binding) {
  const Expression& operand = binding.call.operands.front().expression;
  const auto& scaler = static_cast<const Scaler&>(*binding.resource);
  if (operand.type.scalar == ScalarType::F32) {
    return std::make_unique<Standardize<float>>(operand.slot, binding.writes[0], operand.text,
                                                scaler);
  }
  return std::make_unique<Standardize<double>>(operand.slot, binding.writes[0], operand.text,
                                               scaler);
}

}  // namespace

NodeDescriptor describe_standardize() {
  return {
      .role = NodeRole::Stage,
      .name = "standardize",
      .summary = "Subtracts the mean and divides by the standard deviation, element by element",
      .documentation =
          "Replaces a column of `f32` or `f64`, scalar or vector, by (x − mean) / std, computed "
          "in the column's own type, which it keeps. The file is TOML with `mean` and `std`, "
          "each a number or an array of the vector's width, std above 0. It is read by `check`. "
          "A row with a number that is not finite fails with K0904.\n",
      .examples = {"|> standardize x using \"scaler.toml\""},
      .infer = infer_standardize,
      .make_operator = make_standardize};
}

}  // namespace kaspar::nodes::vectorize
