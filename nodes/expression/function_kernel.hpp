// How a function of expressions is computed: what FunctionDescriptor::kernel points to.
#pragma once

#include "nodes/expression/frame.hpp"
#include "runtime/core/expression.hpp"
#include "runtime/core/function_descriptor.hpp"

namespace kaspar {

class FunctionKernel {
 public:
  using Kernel = nodes::expression::Kernel;

  /// The kernel for a call's types: out = f(a, b). nullptr: it does not take them. Of a function of
  /// any number of arguments, out = f(out, b) takes in one after the other.
  Kernel (*select)(const Expression& call) = nullptr;
  /// Whether a row can fail in it; nullptr: none can.
  bool (*can_fail)(const Expression& call) = nullptr;
};

}  // namespace kaspar
