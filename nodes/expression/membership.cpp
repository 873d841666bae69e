// `x in [a, b, …]` of constants.
#include <algorithm>

#include "nodes/expression/arithmetic.hpp"
#include "nodes/expression/kernel_loops.hpp"
#include "nodes/expression/program.hpp"

namespace kaspar::nodes::expression {
namespace {

/// Up to here one comparison each is faster than a search.
constexpr std::size_t few = 12;

template <class T, auto member>
void is_member(const Instruction& instruction, Frame& frame) {
  const std::vector<T>& set = static_cast<const LiteralSet*>(instruction.constant)->*member;
  bool* const out = frame.values<bool>(instruction.out);
  const T* const a = frame.values<T>(instruction.a);
  if (set.size() > few) {
    // NaN is not less than anything and equal to nothing: it is not found.
    for_each_row(frame.rows(instruction), [&](std::size_t row) {
      const auto found = std::ranges::lower_bound(set, a[row]);
      out[row] = found != set.end() && *found == a[row];
    });
    return;
  }
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    bool found = false;
    for (const T& element : set) found = found || are_equal(a[row], element);
    out[row] = found;
  });
}

void is_member_bool(const Instruction& instruction, Frame& frame) {
  const auto& set = *static_cast<const LiteralSet*>(instruction.constant);
  bool* const out = frame.values<bool>(instruction.out);
  const bool* const a = frame.values<bool>(instruction.a);
  for_each_row(frame.rows(instruction),
               [&](std::size_t row) { out[row] = a[row] ? set.has_true : set.has_false; });
}

}  // namespace

Kernel membership_kernel(ScalarType type) {
  switch (type) {
    case ScalarType::Bool:
      return is_member_bool;
    case ScalarType::I64:
    case ScalarType::Timestamp:
    case ScalarType::Duration:
      return is_member<std::int64_t, &LiteralSet::integers>;
    case ScalarType::F32:
      return is_member<float, &LiteralSet::singles>;
    case ScalarType::F64:
      return is_member<double, &LiteralSet::doubles>;
    case ScalarType::String:
    case ScalarType::Bytes:
      return is_member<std::string_view, &LiteralSet::texts>;
  }
  return nullptr;
}

}  // namespace kaspar::nodes::expression
