// Loops that most kernels are made of: a function of values, applied to the rows of a selection.
#pragma once

#include <cstddef>

#include "nodes/expression/frame.hpp"

namespace kaspar::nodes::expression {

/// out = F(a)
template <class Out, class A, class F>
void map_kernel(const Instruction& instruction, Frame& frame) {
  Out* const out = frame.values<Out>(instruction.out);
  const A* const a = frame.values<A>(instruction.a);
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = F{}(a[row]); });
}

/// out = F(a, b)
template <class Out, class A, class B, class F>
void map_kernel(const Instruction& instruction, Frame& frame) {
  Out* const out = frame.values<Out>(instruction.out);
  const A* const a = frame.values<A>(instruction.a);
  const B* const b = frame.values<B>(instruction.b);
  for_each_row(frame.rows(instruction), [=](std::size_t row) { out[row] = F{}(a[row], b[row]); });
}

/// As map_kernel, where F::compute(a, out) may say no: then F::explain fails the row.
template <class Out, class A, class F>
void checked_kernel(const Instruction& instruction, Frame& frame) {
  Out* const out = frame.values<Out>(instruction.out);
  const A* const a = frame.values<A>(instruction.a);
  bool fine = true;
  for_each_row(frame.rows(instruction),
               [=, &fine](std::size_t row) { fine &= F::compute(a[row], out[row]); });
  if (fine) [[likely]]
    return;
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    Out ignored{};
    if (!F::compute(a[row], ignored)) {
      frame.fail(row, DiagnosticCode::K0906, F::explain(instruction, frame, row));
    }
  });
}

/// The same with two arguments.
template <class Out, class A, class B, class F>
void checked_kernel(const Instruction& instruction, Frame& frame) {
  Out* const out = frame.values<Out>(instruction.out);
  const A* const a = frame.values<A>(instruction.a);
  const B* const b = frame.values<B>(instruction.b);
  bool fine = true;
  for_each_row(frame.rows(instruction),
               [=, &fine](std::size_t row) { fine &= F::compute(a[row], b[row], out[row]); });
  if (fine) [[likely]]
    return;
  for_each_row(frame.rows(instruction), [&](std::size_t row) {
    Out ignored{};
    if (!F::compute(a[row], b[row], ignored)) {
      frame.fail(row, DiagnosticCode::K0906, F::explain(instruction, frame, row));
    }
  });
}

}  // namespace kaspar::nodes::expression
