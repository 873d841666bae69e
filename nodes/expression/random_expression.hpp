// Random typed expressions and the batches that they are evaluated over. Test code.
#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <string_view>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/node_descriptor.hpp"

namespace kaspar::nodes::expression {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 … n - 1
  std::size_t below(std::size_t n) { return engine_() % n; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

/// The columns that random expressions read: two of every scalar type, one of them optional, and
/// vectors.
[[nodiscard]] const std::vector<Column>& random_columns();

/// A value that tests limits more often than not.
[[nodiscard]] std::int64_t random_integer(Random& random);
[[nodiscard]] double random_number(Random& random);
[[nodiscard]] std::string_view random_text(Random& random);

/// Records with keys, values, headers and timestamps that may be missing.
[[nodiscard]] std::unique_ptr<RecordBatch> random_records(Random& random, std::size_t count);
/// Fills random_columns() of the batch for all of its rows, and takes some rows out.
void fill_randomly(Random& random, Batch& batch);

/// Every expression that the checker may make, and some more; `text` reads as in the language.
class RandomExpressions {
 public:
  RandomExpressions(Random& random, const NodeRegistry& registry)
      : random_(random), registry_(registry) {}
  /// `depth`: how many levels at most, roughly.
  Expression make(const Type& type, int depth);

 private:
  Expression leaf(const Type& type);
  Expression column(const Type& type);
  Expression literal(ScalarType scalar);
  Expression meta(ScalarType scalar);
  Expression boolean(int depth);
  Expression integer(int depth);
  Expression floating(ScalarType scalar, int depth);
  Expression text(int depth);
  Expression vector(const Type& type, int depth);
  Expression optional(const Type& type, int depth);
  Expression let(const Type& type, int depth);
  Expression choice(const Type& type, int depth);
  Expression call(std::string_view name, std::vector<Expression> arguments);
  static Expression node(Expression::Kind kind, Type type, std::vector<Expression> children,
                         std::string_view sign);
  Type any_scalar();

  Random& random_;
  const NodeRegistry& registry_;
  std::vector<Type> locals_;  // in scope, by number
};

}  // namespace kaspar::nodes::expression
