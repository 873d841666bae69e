// Compiled programs give what the reference evaluator gives, for any expression over any rows.
//
// KASPAR_SEED=N repeats one tree, KASPAR_TREES=N tries as many from another start.
#include <cstdlib>
#include <map>
#include <string>

#include "nodes/expression/fallibility.hpp"
#include "nodes/expression/program_builder.hpp"
#include "nodes/expression/random_expression.hpp"
#include "nodes/expression/reference_evaluator.hpp"
#include "runtime/core/value_text.hpp"
#include "test/unit/catch.hpp"

namespace kaspar::nodes {
void register_expression(NodeRegistry& registry);
}

namespace kaspar::nodes::expression {
namespace {

const NodeRegistry& registry() {
  static const NodeRegistry filled = [] {
    NodeRegistry registry;
    register_expression(registry);
    return registry;
  }();
  return filled;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

using Failures = std::map<Row, std::string>;

Failures failures_of(const Batch& batch) {
  Failures failures;
  for (const RowError& error : batch.errors()) {
    if (error.message.empty() || !is_utf8(error.message)) FAIL("message: " << error.message);
    failures[error.row] = name_of(error.code);
  }
  return failures;
}

/// What a tree did, so that the test can tell that it tests anything.
struct Coverage {
  std::size_t computed = 0;
  std::size_t failed = 0;
  std::size_t nulls = 0;
  std::size_t filtered = 0;
};

void check_tree(std::uint64_t seed, Coverage& coverage) {
  Random random(seed);
  constexpr std::array types{ScalarType::Bool,      ScalarType::I64,     ScalarType::F32,
                             ScalarType::F64,       ScalarType::String,  ScalarType::Bytes,
                             ScalarType::Timestamp, ScalarType::Duration};
  Type type{.scalar = types[random.below(types.size())], .optional = random.one_in(4)};
  if (type.is_float() && random.one_in(6)) type.width = 3;
  RandomExpressions expressions(random, registry());
  const Expression expression = expressions.make(type, 1 + static_cast<int>(random.below(5)));

  const std::size_t count = random.one_in(20) ? 200 + random.below(500) : 1 + random.below(24);
  const auto records = random_records(random, count);
  std::vector<Column> columns = random_columns();
  const Slot result = static_cast<Slot>(columns.size());
  columns.push_back({.name = "result", .type = type});
  Batch batch(columns, count);
  batch.reset(*records);
  fill_randomly(random, batch);

  ProgramBuilder builder;
  builder.compute(expression, result);
  const auto program = std::move(builder).finish();
  if (!program) FAIL("seed " << seed << ": " << program.error().message << "\n" << expression.text);
  const auto frame = program->make_frame();

  const std::vector<Row> rows(batch.alive().begin(), batch.alive().end());
  Failures expected_failures;
  std::map<Row, ReferenceValue> expected;
  for (const Row row : rows) {
    ReferenceEvaluator reference(batch);
    const ReferenceResult value = reference.evaluate(expression, row);
    if (value) {
      expected[row] = *value;
    } else {
      expected_failures[row] = name_of(value.error());
    }
  }
  batch.begin_stage(1);
  program->run(batch, *frame);
  const Failures failures = failures_of(batch);
  if (failures != expected_failures) {
    for (const Row row : rows) {
      const auto was = failures.find(row);
      const auto wanted = expected_failures.find(row);
      const std::string is = was == failures.end() ? "no failure" : was->second;
      const std::string should = wanted == expected_failures.end() ? "no failure" : wanted->second;
      if (is != should) {
        FAIL("KASPAR_SEED=" << seed << ", row " << row << ": " << is << ", not " << should << "\n"
                            << expression.text);
      }
    }
    FAIL("KASPAR_SEED=" << seed << ": a row failed that was not alive\n" << expression.text);
  }
  if (!failures.empty() && !is_fallible(expression)) {
    FAIL("KASPAR_SEED=" << seed << ": called infallible\n" << expression.text);
  }
  for (const auto& [row, value] : expected) {
    const ReferenceValue is = value_of_cell(batch.column(result), true, row);
    if (!is_same(is, value)) {
      FAIL("KASPAR_SEED=" << seed << ", row " << row << ": another value\n" << expression.text);
    }
    coverage.nulls += is ? 0U : 1U;
  }
  coverage.computed += expected.size();
  coverage.failed += failures.size();
  batch.end_stage();

  if (type != Type{.scalar = ScalarType::Bool}) return;
  ProgramBuilder filter;
  filter.require(expression);
  const auto filter_program = std::move(filter).finish();
  const auto filter_frame = filter_program.value().make_frame();
  batch.begin_stage(2);
  filter_program->run(batch, *filter_frame);
  batch.end_stage();
  std::vector<Row> kept;
  for (const auto& [row, value] : expected) {
    if (std::get<bool>(*value)) kept.push_back(row);
  }
  if (!std::ranges::equal(batch.alive(), kept)) {
    FAIL("KASPAR_SEED=" << seed << ": `filter` keeps other rows\n" << expression.text);
  }
  coverage.filtered += kept.size();
}

/// Makes one node of the tree break the rules, perhaps.
void damage(Random& random, Expression& expression) {
  Expression* at = &expression;
  while (!at->children.empty() && !random.one_in(3)) {
    at = &at->children[random.below(at->children.size())];
  }
  const bool column = at->kind == Expression::Kind::Column;
  switch (random.below(6)) {
    case 0:
      do {
        if (!column) at->kind = static_cast<Expression::Kind>(random.below(28));
      } while (!column && at->kind == Expression::Kind::Column);  // columns are as they are said
      break;
    case 1:
      if (!column) at->type.scalar = static_cast<ScalarType>(random.below(8));
      break;
    case 2:
      if (!column) at->type.width = static_cast<std::uint32_t>(random.below(3));
      break;
    case 3:
      if (!at->children.empty()) at->children.pop_back();
      break;
    case 4: {
      Expression copy = expression;
      at->children.push_back(std::move(copy));
      break;
    }
    default:
      at->local = static_cast<std::uint32_t>(random.below(3));
      at->meta = static_cast<MetaField>(random.below(7));
      at->function = registry().functions()[random.below(registry().functions().size())].get();
  }
}

}  // namespace

TEST_CASE("a damaged tree is refused, or computed within its registers") {
  std::size_t refused = 0;
  constexpr std::uint64_t trees = 4000;
  for (std::uint64_t seed = 1; seed <= trees; ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    RandomExpressions expressions(random, registry());
    Type type{.scalar = static_cast<ScalarType>(random.below(8)), .optional = random.one_in(4)};
    Expression expression = expressions.make(type, 4);
    damage(random, expression);
    const auto records = random_records(random, 20);
    std::vector<Column> columns = random_columns();
    const Slot result = static_cast<Slot>(columns.size());
    columns.push_back({.name = "result", .type = expression.type});
    Batch batch(columns, 20);
    batch.reset(*records);
    fill_randomly(random, batch);
    ProgramBuilder builder;
    builder.compute(expression, result);
    const auto program = std::move(builder).finish();
    if (!program) {
      ++refused;
      continue;
    }
    (void)is_fallible(expression);
    const auto frame = program->make_frame();
    program->run(batch, *frame);
  }
  CHECK(refused > trees / 4);
}

TEST_CASE("compiled expressions give what the reference evaluator gives") {
  Coverage coverage;
  if (std::getenv("KASPAR_SEED") != nullptr) {
    check_tree(from_environment("KASPAR_SEED", 0), coverage);
    return;
  }
  const std::uint64_t trees = from_environment("KASPAR_TREES", 20'000);
  const std::uint64_t start =
      trees == 20'000 ? 1 : std::random_device{}() * std::uint64_t{1'000'000};
  for (std::uint64_t seed = start; seed < start + trees; ++seed) check_tree(seed, coverage);
  CHECK(coverage.computed > trees);
  CHECK(coverage.failed > trees / 4);
  CHECK(coverage.nulls > trees / 4);
  CHECK(coverage.filtered > trees / 10);
  INFO(coverage.computed << " rows computed, " << coverage.failed << " failed, " << coverage.nulls
                         << " null, " << coverage.filtered << " kept");
  SUCCEED();
}

}  // namespace kaspar::nodes::expression
