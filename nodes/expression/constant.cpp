#include "nodes/expression/constant.hpp"

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "nodes/expression/program_builder.hpp"

namespace kaspar::nodes::expression {
namespace {

bool is_constant(const Expression& expression) {
  std::vector<const Expression*> pending{&expression};
  while (!pending.empty()) {
    const Expression& at = *pending.back();
    pending.pop_back();
    if (at.kind == Expression::Kind::Column || at.kind == Expression::Kind::Meta) return false;
    for (const Expression& child : at.children) pending.push_back(&child);
  }
  return !expression.type.is_vector();
}

std::unexpected<Issue> failed(DiagnosticCode code, std::string message) {
  return std::unexpected(Issue{.code = code, .message = std::move(message)});
}

Value value_in(const ColumnBuffer& column) {
  if (column.is_null(0)) return {};
  switch (column.type.scalar) {
    case ScalarType::Bool:
      return {*column.row<bool>(0)};
    case ScalarType::I64:
    case ScalarType::Timestamp:
      return {*column.row<std::int64_t>(0)};
    case ScalarType::F32:
      return {static_cast<double>(*column.row<float>(0))};
    case ScalarType::F64:
      return {*column.row<double>(0)};
    case ScalarType::String:
    case ScalarType::Bytes:
      return {std::string{*column.row<std::string_view>(0)}};
    case ScalarType::Duration:
      return {std::chrono::milliseconds{*column.row<std::int64_t>(0)}};
  }
  return {};
}

}  // namespace

std::expected<Value, Issue> evaluate_constant(const Expression& expression) {
  if (!is_constant(expression)) {
    return failed(DiagnosticCode::K0302, fmt::format("`{}` is no constant", expression.text));
  }
  ProgramBuilder builder;
  builder.compute(expression, 0);
  const auto program = std::move(builder).finish();
  if (!program) return std::unexpected(program.error());
  const auto frame = program->make_frame(1);
  RecordBatch records;
  records.records.resize(1);
  Batch batch(std::vector<Column>{{.name = "constant", .type = expression.type}}, 1);
  batch.reset(records);
  program->run(batch, *frame);
  if (!batch.errors().empty()) {
    const RowError& error = batch.errors().front();
    return failed(error.code, error.message);
  }
  return value_in(batch.column(0));
}

}  // namespace kaspar::nodes::expression
