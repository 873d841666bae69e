#include "nodes/expression/stages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "nodes/expression/fallibility.hpp"
#include "nodes/expression/program_builder.hpp"

namespace kaspar::nodes::expression {
namespace {

/// Runs a program; what it does with the rows is in its instructions.
class RunProgram final : public Operator {
 public:
  explicit RunProgram(Program program) : program_(std::move(program)) {}

  [[nodiscard]] std::unique_ptr<OperatorState> make_state() const override {
    return program_.make_frame();
  }
  void process(Batch& batch, OperatorState* state) const noexcept override {
    program_.run(batch, static_cast<Frame&>(*state));
  }

 private:
  Program program_;
};

class KeepAll final : public Operator {
 public:
  void process(Batch&, OperatorState*) const noexcept override {}
};

/// The columns that the operands become, each the program's own issue at its operand.
std::expected<Inferred, Issue> infer_columns(const StageCall& call) {
  Inferred inferred;
  for (std::size_t i = 0; i < call.operands.size(); ++i) {
    const auto& name = call.operands[i].role;
    const Expression& expression = call.operands[i].expression;
    ProgramBuilder builder;
    builder.compute(expression, 0);
    if (auto program = std::move(builder).finish(); !program) {
      program.error().place = {.part = IssuePlace::Part::Operand, .index = i};
      return std::unexpected(std::move(program.error()));
    }
    inferred.columns.push_back({.name = name, .type = expression.type});
    inferred.fallible = inferred.fallible || is_fallible(expression);
  }
  return inferred;
}

std::unique_ptr<Operator> make_columns(const StageBinding& binding) {
  ProgramBuilder builder;
  for (std::size_t i = 0; i < binding.call.operands.size(); ++i) {
    builder.compute(binding.call.operands[i].expression, binding.writes[i]);
  }
  // It was compiled by infer() before.
  return std::make_unique<RunProgram>(std::move(builder).finish().value());
}

std::expected<Inferred, Issue> infer_filter(const StageCall& call) {
  const Expression& condition = call.operands.front().expression;
  const IssuePlace place{.part = IssuePlace::Part::Operand, .index = 0};
  const std::string type = to_string(condition.type);
  if (condition.type.scalar != ScalarType::Bool || condition.type.is_vector()) {
    const bool comparable = condition.type.scalar == ScalarType::I64 && !condition.type.is_vector();
    return std::unexpected(Issue{.code = DiagnosticCode::K0302,
                                 .place = place,
                                 .message = fmt::format("`filter` takes a `bool`, not `{}`", type),
                                 .label = fmt::format("`{}`", type),
                                 .help = comparable ? "compare it: `… != 0`" : ""});
  }
  if (condition.type.optional) {
    return std::unexpected(Issue{.code = DiagnosticCode::K0301,
                                 .place = place,
                                 .message = fmt::format("`{}` may be null", condition.text),
                                 .label = fmt::format("`{}`", type),
                                 .help = "say what null counts as by `??`: `… ?? false`"});
  }
  ProgramBuilder builder;
  builder.require(condition);
  if (auto program = std::move(builder).finish(); !program) {
    program.error().place = place;
    return std::unexpected(std::move(program.error()));
  }
  return Inferred{.fallible = is_fallible(condition)};
}

std::unique_ptr<Operator> make_filter(const StageBinding& binding) {
  ProgramBuilder builder;
  builder.require(binding.call.operands.front().expression);
  return std::make_unique<RunProgram>(std::move(builder).finish().value());
}

std::expected<Inferred, Issue> infer_route(const StageCall& call) {
  auto inferred = infer_columns(call);
  if (inferred) inferred->columns.front().name = "route";
  return inferred;
}

}  // namespace

NodeDescriptor describe_filter() {
  return {
      .role = NodeRole::Stage,
      .name = "filter",
      .summary = "Goes on with the rows for which a condition is true; the others are done",
      .documentation =
          "The condition is a `bool`. Rows for which it is false are acknowledged and counted; "
          "they are no errors.\n\n"
          "After `filter c != null` the column `c` is not null any more: each term of the "
          "condition that is joined to the others by `and` at the top, and has this form, counts "
          "so.\n\n"
          "`and` and `or` compute their second operand only where the first does not decide, so "
          "that only there a row can fail in it: `filter n != 0 and total / n > 5`.\n",
      .examples = {"|> filter amount > 0.0 and country in [\"DE\", \"FR\"]",
                   "|> filter temperature != null and temperature > 30.0"},
      .infer = infer_filter,
      .make_operator = make_filter};
}

NodeDescriptor describe_derive() {
  return {
      .role = NodeRole::Stage,
      .name = "derive",
      .summary = "Computes columns, each from those before it",
      .documentation =
          "The columns are computed in the order written, and each expression sees those written "
          "before it. A name that a column already has replaces that column, from the next entry "
          "on.\n\n"
          "| Code | The row |\n|---|---|\n"
          "| K0906 | overflows an `i64`, a timestamp or a duration, divides an `i64` by zero, has "
          "an index outside its vector, or a value that `to_i64` or `to_f64` cannot take |\n"
          "| K0902 | has bytes that are wanted as text and are not UTF-8 |\n"
          "| K0905 | has no timestamp, and `meta.timestamp` is wanted |\n"
          "| K0907 | joins text to more than 16 MiB |\n\n"
          "Floats follow IEEE and never fail. Of an `if` only the branch taken can fail a row.\n",
      .examples = {"|> derive { total = price * to_f64(count), big = total > 1000.0 }",
                   "|> derive { rate = if n == 0 then 0.0 else to_f64(hits) / to_f64(n) }"},
      .infer = infer_columns,
      .make_operator = make_columns};
}

NodeDescriptor describe_keep() {
  return {.role = NodeRole::Stage,
          .name = "keep",
          .summary = "Leaves out every column that is not named",
          .documentation =
              "The columns named go on in the order written; the others cannot be used any more, "
              "nor are they written where a `to` has no `value`.\n",
          .examples = {"|> keep { customer, total }"},
          .infer = [](const StageCall&) -> std::expected<Inferred, Issue> { return Inferred{}; },
          .make_operator = [](const StageBinding&) -> std::unique_ptr<Operator> {
            return std::make_unique<KeepAll>();
          }};
}

NodeDescriptor describe_route() {
  return {
      .role = NodeRole::Stage,
      .name = "route",
      .summary = "Sends each row into the stream of the first arm whose condition is true",
      .documentation =
          "The conditions are tried in the order written; `else` comes last and takes what is "
          "left. Several arms may share a stream; `drop` ends a row, which is counted and no "
          "error. A condition is computed only for the rows that the arms before did not take, so "
          "that only those can fail in it.\n",
      .examples = {"|> route { amount > 1000.0 => large, country == \"DE\" => domestic, else => "
                   "others }",
                   "|> route { bucket(meta.key, 100) < 5 => trial, else => drop }"},
      .infer = infer_route,
      .make_operator = make_columns};
}

}  // namespace kaspar::nodes::expression
