// Expressions evaluated the plain way, a row at a time by recursion: what the compiled programs are
// compared with. Test code, written apart from the kernels.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "runtime/core/batch.hpp"
#include "runtime/core/expression.hpp"

namespace kaspar::nodes::expression {

using ReferenceScalar = std::variant<bool, std::int64_t, float, double, std::string,
                                     std::vector<float>, std::vector<double>>;
/// nullopt: null.
using ReferenceValue = std::optional<ReferenceScalar>;
using ReferenceResult = std::expected<ReferenceValue, DiagnosticCode>;

class ReferenceEvaluator {
 public:
  explicit ReferenceEvaluator(const Batch& batch) : batch_(batch) {}
  [[nodiscard]] ReferenceResult evaluate(const Expression& expression, Row row);

 private:
  ReferenceResult call(const Expression& expression, Row row);
  ReferenceResult meta(const Expression& expression, Row row) const;

  const Batch& batch_;
  std::map<std::uint32_t, ReferenceValue> locals_;
};

/// The value that row `row` of a column holds.
[[nodiscard]] ReferenceValue value_of_cell(const ColumnBuffer& column, bool optional, Row row);

/// Bit for bit, but every NaN equals every other.
[[nodiscard]] bool is_same(const ReferenceValue& a, const ReferenceValue& b);

}  // namespace kaspar::nodes::expression
