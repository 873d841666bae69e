// Once warm, a program takes no memory from the heap, whatever rows it runs over.
#include <array>
#include <atomic>
#include <cstdlib>
#include <new>

#include "nodes/expression/program_builder.hpp"
#include "nodes/expression/random_expression.hpp"
#include "test/unit/catch.hpp"

namespace {
std::atomic<std::size_t> allocations{0};  // NOLINT: what operator new counts
}

void* operator new(std::size_t size) {
  ++allocations;
  if (void* const memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc{};
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace kaspar::nodes {
void register_expression(NodeRegistry& registry);
}

namespace kaspar::nodes::expression {

TEST_CASE("a program that is warm takes no memory for its rows") {
  NodeRegistry registry;
  register_expression(registry);
  std::size_t measured = 0;
  std::size_t cold = 0;
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random(seed);
    constexpr std::array types{ScalarType::Bool, ScalarType::F64, ScalarType::String};
    const Type type{.scalar = types[random.below(types.size())]};
    const Expression expression = RandomExpressions(random, registry).make(type, 4);
    const auto records = random_records(random, 600);
    std::vector<Column> columns = random_columns();
    const Slot result = static_cast<Slot>(columns.size());
    columns.push_back({.name = "result", .type = type});
    Batch batch(columns, 600);
    ProgramBuilder builder;
    builder.compute(expression, result);
    const auto program = std::move(builder).finish();
    REQUIRE(program.has_value());
    const auto frame = program->make_frame();
    bool failed = false;
    std::size_t last = 0;
    for (int pass = 0; pass < 3; ++pass) {
      batch.reset(*records);
      if (pass == 0) fill_randomly(random, batch);
      const std::size_t before = allocations;
      program->run(batch, *frame);
      last = allocations - before;
      if (pass == 0) cold += last;
      failed = !batch.errors().empty();
    }
    if (failed) continue;  // an error's message is made
    ++measured;
    if (last != 0) FAIL("seed " << seed << ": " << last << " allocations\n" << expression.text);
  }
  CHECK(measured > 200);
  CHECK(cold > 0);
}

}  // namespace kaspar::nodes::expression
