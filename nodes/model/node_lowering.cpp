#include "nodes/model/node_lowering.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {

void NodeLowering::refuse(DiagnosticCode code, std::string message, std::string help) const {
  throw LoweringRefused{{.code = code,
                         .place = {.part = IssuePlace::Part::Node},
                         .message = std::move(message),
                         .help = std::move(help)}};
}

void NodeLowering::unsupported(std::string_view what) const {
  refuse(DiagnosticCode::K0404,
         fmt::format("operator `{}` of node `{}` is not supported{}{}", node_->op, node_->name,
                     what.empty() ? "" : " ", what),
         fmt::format("operators that are: `{}`", operator_names()));
}

void NodeLowering::damaged(std::string_view why) const {
  refuse(DiagnosticCode::K0405,
         node_ == nullptr ? fmt::format("the model contradicts itself: {}", why)
                          : fmt::format("the model contradicts itself at node `{}` (`{}`): {}",
                                        node_->name, node_->op, why));
}

void NodeLowering::charge(std::size_t elements) {
  if (elements > most_elements - elements_) {
    refuse(DiagnosticCode::K0407, "the model's tensors take too much memory");
  }
  elements_ += elements;
}

std::size_t NodeLowering::checked_size(const Dims& dims) {
  std::size_t size = 1;
  bool empty = false;
  for (const std::int64_t dim : dims) {
    if (dim < 0) damaged(fmt::format("a shape {}", text(dims)));
    empty = empty || dim == 0;
    if (dim == 0) continue;  // the others are bounded all the same: loops run over them
    if (static_cast<std::size_t>(dim) > most_elements / size) {
      refuse(DiagnosticCode::K0407, "the model's tensors take too much memory");
    }
    size *= static_cast<std::size_t>(dim);
  }
  if (empty) return 0;
  charge(size);
  return size;
}

Register NodeLowering::allocate(std::size_t count) {
  if (count > most_registers - program_.registers) {
    refuse(DiagnosticCode::K0407, "the model needs too much memory to run");
  }
  const auto first = static_cast<Register>(program_.registers);
  program_.registers += count;
  return first;
}

Tensor NodeLowering::new_tensor(Dims dims, Register first, bool integer) {
  Tensor out{.dims = std::move(dims), .integer = integer};
  out.refs.resize(checked_size(out.dims));
  std::iota(out.refs.begin(), out.refs.end(), first);
  return out;
}

Tensor NodeLowering::in_registers(const Tensor& tensor) {
  if (!tensor.known) return tensor;
  Tensor out{.dims = tensor.dims, .integer = tensor.integer};
  charge(tensor.size());
  const Register first = allocate(tensor.size());
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    const auto index = static_cast<Register>(first + i);
    program_.constants.emplace_back(index, static_cast<float>(tensor.number(i)));
    out.refs.push_back(index);
  }
  return out;
}

Register NodeLowering::contiguous(const Tensor& tensor) {
  const Tensor held = in_registers(tensor);
  if (held.refs.empty()) return 0;
  bool in_a_row = true;
  for (std::size_t i = 1; i < held.refs.size(); ++i) {
    in_a_row = in_a_row && held.refs[i] == held.refs[i - 1] + 1;
  }
  if (in_a_row) return held.refs.front();
  charge(held.refs.size());
  const Register first = allocate(held.refs.size());
  emit(MoveStep{.out = first, .from = held.refs});
  return first;
}

const Tensor& NodeLowering::in(std::size_t i) const {
  if (!has(i)) damaged(fmt::format("its input {} is missing", i));
  return tensors_.at(node_->inputs[i]);
}

const Attribute* NodeLowering::attribute(std::string_view name) const {
  const auto found = node_->attributes.find(name);
  return found == node_->attributes.end() ? nullptr : &found->second;
}

std::int64_t NodeLowering::integer(std::string_view name, std::int64_t otherwise) const {
  const Attribute* found = attribute(name);
  return found == nullptr ? otherwise : found->integer;
}

float NodeLowering::number(std::string_view name, float otherwise) const {
  const Attribute* found = attribute(name);
  return found == nullptr ? otherwise : found->number;
}

Dims NodeLowering::integers(std::string_view name, std::size_t input) {
  if (const Attribute* found = attribute(name)) return found->integers;
  return has(input) ? known_integers(input) : Dims{};
}

Dims NodeLowering::known_integers(std::size_t i) {
  const Tensor& tensor = in(i);
  if (!tensor.known) unsupported("where a shape or index depends on the data");
  if (!tensor.integer) damaged("a shape or index that is no integer");
  charge(tensor.ints.size());
  return tensor.ints;
}

std::size_t NodeLowering::axis_of(std::int64_t axis, std::size_t rank) const {
  const auto limit = static_cast<std::int64_t>(rank);
  if (axis < -limit || axis >= limit) {
    damaged(fmt::format("axis {} of a tensor with {} dimensions", axis, rank));
  }
  return static_cast<std::size_t>(axis < 0 ? axis + limit : axis);
}

void NodeLowering::define(std::size_t output, Tensor tensor) {
  if (output >= node_->outputs.size() || node_->outputs[output].empty()) return;
  tensors_[node_->outputs[output]] = std::move(tensor);
}

Tensor NodeLowering::from_constant(const Constant& constant) {
  checked_size(constant.dims);
  return {.dims = constant.dims,
          .integer = constant.integer,
          .known = true,
          .floats = constant.floats,
          .ints = constant.ints};
}

Tensor NodeLowering::ordered(const Tensor& from, Dims dims, const Order& order) const {
  Tensor to{.dims = std::move(dims), .integer = from.integer, .known = from.known};
  for (const std::uint32_t i : order) {
    if (!from.known) {
      to.refs.push_back(from.refs[i]);
    } else if (from.integer) {
      to.ints.push_back(from.ints[i]);
    } else {
      to.floats.push_back(from.floats[i]);
    }
  }
  return to;
}

Tensor NodeLowering::reshaped(const Tensor& from, Dims dims) {
  if (checked_size(dims) != from.size()) {
    damaged(fmt::format("{} cannot become {}", text(from.dims), text(dims)));
  }
  Tensor to = from;
  to.dims = std::move(dims);
  return to;
}

Order NodeLowering::walk(const Dims& counts, const Dims& strides, std::int64_t start) {
  const std::size_t size = checked_size(counts);
  Order order(size);
  Dims digits(counts.size(), 0);
  std::int64_t place = start;
  for (std::size_t i = 0; i < size; ++i) {
    order[i] = static_cast<std::uint32_t>(place);
    for (std::size_t d = counts.size(); d-- > 0;) {
      place += strides[d];
      if (++digits[d] < counts[d]) break;
      place -= strides[d] * counts[d];
      digits[d] = 0;
    }
  }
  return order;
}

Dims NodeLowering::broadcast(const Dims& left, const Dims& right) const {
  Dims out(std::max(left.size(), right.size()), 1);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::int64_t a = i < left.size() ? left[left.size() - 1 - i] : 1;
    const std::int64_t b = i < right.size() ? right[right.size() - 1 - i] : 1;
    if (a != b && a != 1 && b != 1) {
      damaged(fmt::format("{} does not fit {}", text(left), text(right)));
    }
    out[out.size() - 1 - i] = a == 1 ? b : a;
  }
  return out;
}

Tensor NodeLowering::expanded(const Tensor& from, const Dims& dims) {
  Dims strides(dims.size(), 0);
  const Dims own = strides_of(from.dims);
  const std::size_t lead = dims.size() - from.dims.size();
  for (std::size_t i = 0; i < from.dims.size(); ++i) {
    strides[lead + i] = from.dims[i] == 1 ? 0 : own[i];
  }
  return ordered(from, dims, walk(dims, strides));
}

Tensor NodeLowering::transposed(const Tensor& from, const std::vector<std::size_t>& axes) {
  const Dims own = strides_of(from.dims);
  Dims dims;
  Dims strides;
  for (const std::size_t axis : axes) {
    dims.push_back(from.dims[axis]);
    strides.push_back(own[axis]);
  }
  return ordered(from, dims, walk(dims, strides));
}

}  // namespace kaspar::nodes
