// Operators that place elements or compute over shapes: they cost nothing when records run.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <numeric>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>

#include "nodes/model/operators.hpp"

namespace kaspar::nodes {
namespace {

constexpr std::int64_t most_step = 1 << 30;

void identity(NodeLowering& node) {
  node.charge(node.in(0).size());
  node.define(0, node.in(0));
}

void dropout(NodeLowering& node) {
  if (node.has(2) && (!node.in(2).known() || node.in(2).element != Element::Bool ||
                      node.in(2).size() != 1 || node.in(2).floats()[0] != 0)) {
    node.unsupported("while it trains");
  }
  if (node.wants(1)) {
    const Tensor all = known_number(Element::Bool, 1);
    const std::size_t size = node.checked_size(node.in(0).dims);
    node.define(1, node.ordered(all, node.in(0).dims, Order(size, 0)));
  }
  identity(node);
}

void constant(NodeLowering& node) {
  Tensor out;
  if (const Attribute* tensor = node.attribute("value"); tensor != nullptr && tensor->tensor) {
    out = *tensor->tensor;
  } else if (const Attribute* one = node.attribute("value_float")) {
    out = known_floats({}, {one->number});
  } else if (const Attribute* whole = node.attribute("value_int")) {
    out = known_ints({}, {whole->integer});
  } else if (const Attribute* some = node.attribute("value_floats")) {
    out = known_floats({static_cast<std::int64_t>(some->numbers.size())}, some->numbers);
  } else if (const Attribute* wholes = node.attribute("value_ints")) {
    out = known_ints({static_cast<std::int64_t>(wholes->integers.size())}, wholes->integers);
  } else if (const Attribute* word = node.attribute("value_string")) {
    out = known_tensor({}, Element::String, std::vector<std::string>{word->text});
  } else if (const Attribute* words = node.attribute("value_strings")) {
    std::vector<std::string> texts = words->texts.all();
    out =
        known_tensor({static_cast<std::int64_t>(texts.size())}, Element::String, std::move(texts));
  } else {
    node.unsupported("with a value of this kind");
  }
  node.charge(out.size());
  node.define(0, std::move(out));
}

void constant_of_shape(NodeLowering& node) {
  Tensor value = known_floats({1}, {0.0F});
  if (const Attribute* given = node.attribute("value"); given != nullptr && given->tensor) {
    value = *given->tensor;
    if (value.size() != 1) node.damaged("a value of more than one element");
  }
  const Dims dims = node.known_integers(0);
  node.define(0, node.ordered(value, dims, Order(node.checked_size(dims), 0)));
}

void shape(NodeLowering& node) {
  const Dims& dims = node.in(0).dims;
  const auto rank = static_cast<std::int64_t>(dims.size());
  const auto clamp = [&](std::int64_t at) {
    return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank);
  };
  const std::int64_t start = clamp(node.integer("start", 0));
  const std::int64_t end = std::max(start, clamp(node.integer("end", rank)));
  node.define(0, known_ints({end - start}, Dims(dims.begin() + start, dims.begin() + end)));
}

void size(NodeLowering& node) {
  node.define(0, known_ints({}, {static_cast<std::int64_t>(node.in(0).size())}));
}

void gather(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Tensor& indexes = node.in(1);
  const std::size_t axis = node.axis_of(node.integer("axis", 0), from.dims.size());
  if (!indexes.integer()) node.damaged("indexes that are no integers");
  Dims dims(from.dims.begin(), from.dims.begin() + static_cast<std::ptrdiff_t>(axis));
  dims.insert(dims.end(), indexes.dims.begin(), indexes.dims.end());
  dims.insert(dims.end(), from.dims.begin() + static_cast<std::ptrdiff_t>(axis) + 1,
              from.dims.end());
  node.define(0, node.picked(from, axis, indexes, std::move(dims)));
}

void unsqueeze(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Dims axes = node.integers("axes", 1);
  const std::size_t rank = from.dims.size() + axes.size();
  std::vector<bool> added(rank, false);
  for (const std::int64_t axis : axes) {
    const std::size_t at = node.axis_of(axis, rank);
    if (added[at]) node.damaged("an axis that is given twice");
    added[at] = true;
  }
  Dims dims;
  std::size_t next = 0;
  for (std::size_t d = 0; d < rank; ++d) dims.push_back(added[d] ? 1 : from.dims[next++]);
  node.define(0, node.reshaped(from, dims));
}

void squeeze(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const Dims axes = node.integers("axes", 1);
  std::vector<bool> gone(from.dims.size(), false);
  for (const std::int64_t axis : axes) gone[node.axis_of(axis, from.dims.size())] = true;
  Dims dims;
  for (std::size_t d = 0; d < from.dims.size(); ++d) {
    if (axes.empty()) gone[d] = from.dims[d] == 1;
    if (!gone[d]) dims.push_back(from.dims[d]);
  }
  node.define(0, node.reshaped(from, dims));
}

void concat(NodeLowering& node) {
  const std::size_t parts = node.input_count();
  const Element element = node.in(0).element;
  const std::size_t axis = node.axis_of(node.integer("axis", 0), node.in(0).dims.size());
  Dims dims = node.in(0).dims;
  dims[axis] = 0;
  bool known = true;
  for (std::size_t p = 0; p < parts; ++p) {
    const Tensor& part = node.in(p);
    if (part.element != element) node.damaged("parts of different types");
    if (part.dims.size() != dims.size()) node.damaged("parts of different dimensions");
    for (std::size_t d = 0; d < dims.size(); ++d) {
      if (d != axis && part.dims[d] != dims[d]) node.damaged("parts of different shapes");
    }
    dims[axis] += part.dims[axis];
    known = known && part.known();
  }
  node.checked_size(dims);
  node.spend(product(dims, 0, axis), parts);
  Tensor out{.dims = dims, .element = element};
  // The parts' runs, one part after the other, again and again.
  const auto join = [&](auto& to, const auto& values_of) {
    for (std::size_t o = 0; o < product(dims, 0, axis); ++o) {
      for (std::size_t p = 0; p < parts; ++p) {
        const auto run = static_cast<std::ptrdiff_t>(product(node.in(p).dims, axis, dims.size()));
        const auto start = values_of(p).begin() + static_cast<std::ptrdiff_t>(o) * run;
        to.insert(to.end(), start, start + run);
      }
    }
  };
  if (known) {
    std::visit(
        [&](const auto& first) {
          using Held = std::remove_cvref_t<decltype(first)>;
          Held to;
          join(to, [&](std::size_t p) -> const Held& { return std::get<Held>(*node.in(p).held); });
          out.held = std::make_shared<const Values>(std::move(to));
        },
        *node.in(0).held);
  } else {
    std::map<std::size_t, Tensor> held;  // of the known parts; copies of the others may be large
    for (std::size_t p = 0; p < parts; ++p) {
      if (node.in(p).known()) held.emplace(p, node.in_registers(node.in(p)));
    }
    out.refs.reserve(product(dims, 0, dims.size()));
    join(out.refs, [&](std::size_t p) -> const std::vector<Register>& {
      const auto found = held.find(p);
      return found == held.end() ? node.in(p).refs : found->second.refs;
    });
  }
  node.define(0, std::move(out));
}

void slice(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t rank = from.dims.size();
  const Dims starts = node.integers("starts", 1);
  const Dims ends = node.integers("ends", 2);
  Dims axes = node.integers("axes", 3);
  Dims steps = node.has(4) ? node.known_integers(4) : Dims(starts.size(), 1);
  if (axes.empty()) {
    axes.resize(starts.size());
    std::iota(axes.begin(), axes.end(), 0);
  }
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size()) {
    node.damaged("starts, ends, axes and steps of different lengths");
  }
  Dims counts = from.dims;
  Dims strides = strides_of(from.dims);
  std::int64_t first = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::size_t axis = node.axis_of(axes[i], rank);
    const std::int64_t size = from.dims[axis];
    const std::int64_t step = steps[i];
    if (size == 0) continue;
    if (step == 0 || step < -most_step || step > most_step)
      node.damaged(fmt::format("step {}", step));
    const auto place = [&](std::int64_t at, std::int64_t low, std::int64_t high) {
      return std::clamp(at < 0 ? at + size : at, low, high);
    };
    const std::int64_t start = step > 0 ? place(starts[i], 0, size) : place(starts[i], 0, size - 1);
    const std::int64_t end = step > 0 ? place(ends[i], 0, size) : place(ends[i], -1, size - 1);
    const std::int64_t span = step > 0 ? end - start : start - end;
    const std::int64_t stride = std::abs(step);
    counts[axis] = span <= 0 ? 0 : (span + stride - 1) / stride;
    first += start * strides[axis];
    strides[axis] *= step;
  }
  node.define(0, node.ordered(from, counts, node.walk(counts, strides, first)));
}

/// Into parts of given sizes, or into equal ones of which the last may be smaller.
void split(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const std::size_t axis = node.axis_of(node.integer("axis", 0), from.dims.size());
  const std::int64_t size = from.dims[axis];
  const auto parts = static_cast<std::int64_t>(node.output_count());
  Dims sizes = node.integers("split", 1);
  if (sizes.empty()) {
    sizes.assign(node.output_count(), parts == 0 ? 0 : (size + parts - 1) / parts);
    if (parts != 0) sizes.back() = size - (parts - 1) * sizes.front();
  }
  const Dims strides = strides_of(from.dims);
  Dims counts = from.dims;
  std::int64_t start = 0;
  if (sizes.size() != node.output_count()) node.damaged("parts that are not its outputs");
  for (std::size_t p = 0; p < sizes.size(); ++p) {
    if (sizes[p] < 0 || sizes[p] > size - start) node.damaged("parts that do not fit");
    counts[axis] = sizes[p];
    node.define(p, node.ordered(from, counts, node.walk(counts, strides, start * strides[axis])));
    start += sizes[p];
  }
  if (start != size) node.damaged("parts that do not fit");
}

void expand(NodeLowering& node) {
  const Dims dims = node.broadcast(node.in(0).dims, node.known_integers(1));
  node.define(0, node.expanded(node.in(0), dims));
}

void reshape(NodeLowering& node) {
  const Tensor& from = node.in(0);
  Dims dims = node.integers("shape", 1);
  const bool zero_stays = node.integer("allowzero", 0) != 0;
  std::size_t open = dims.size();
  std::size_t rest = 1;
  for (std::size_t d = 0; d < dims.size(); ++d) {
    if (dims[d] == 0 && !zero_stays) {
      if (d >= from.dims.size()) node.damaged("a shape that takes over what is not there");
      dims[d] = from.dims[d];
    }
    if (dims[d] == -1) {
      if (open != dims.size()) node.damaged("a shape with two open dimensions");
      open = d;
    } else if (dims[d] < 0) {
      node.damaged(fmt::format("a shape {}", text(dims)));
    } else if (dims[d] != 0 && static_cast<std::size_t>(dims[d]) > node.element_limit() / rest) {
      node.damaged(fmt::format("a shape {}", text(dims)));
    } else {
      rest *= std::max<std::size_t>(1, static_cast<std::size_t>(dims[d]));
    }
  }
  if (open != dims.size()) dims[open] = static_cast<std::int64_t>(from.size() / rest);
  node.define(0, node.reshaped(from, dims));
}

void flatten(NodeLowering& node) {
  const Tensor& from = node.in(0);
  const auto rank = static_cast<std::int64_t>(from.dims.size());
  std::int64_t axis = node.integer("axis", 1);
  if (axis < 0) axis += rank;
  if (axis < 0 || axis > rank) node.damaged("an axis outside");
  const auto at = static_cast<std::size_t>(axis);
  node.define(0, node.reshaped(
                     from, {static_cast<std::int64_t>(product(from.dims, 0, at)),
                            static_cast<std::int64_t>(product(from.dims, at, from.dims.size()))}));
}

void transpose(NodeLowering& node) {
  const Tensor& from = node.in(0);
  std::vector<std::size_t> axes;
  if (const Attribute* perm = node.attribute("perm")) {
    std::vector<bool> seen(from.dims.size(), false);
    if (perm->integers.size() != from.dims.size()) node.damaged("`perm` of another length");
    for (const std::int64_t axis : perm->integers) {
      axes.push_back(node.axis_of(axis, from.dims.size()));
      if (seen[axes.back()]) node.damaged("`perm` has an axis twice");
      seen[axes.back()] = true;
    }
  } else {
    for (std::size_t d = from.dims.size(); d-- > 0;) axes.push_back(d);
  }
  node.define(0, node.transposed(from, axes));
}
}  // namespace

std::span<const NamedOperator> shape_operators() noexcept {
  static constexpr auto operators = std::to_array<NamedOperator>({
      {"Concat", concat, false},
      {"Constant", constant, false},
      {"ConstantOfShape", constant_of_shape, false},
      {"Dropout", dropout, false},
      {"Expand", expand, false},
      {"Flatten", flatten, false},
      {"Gather", gather, false},
      {"Identity", identity, false},
      {"Reshape", reshape, false},
      {"Shape", shape, false},
      {"Size", size, false},
      {"Slice", slice, false},
      {"Split", split, false},
      {"Squeeze", squeeze, false},
      {"Transpose", transpose, false},
      {"Unsqueeze", unsqueeze, false},
  });
  return operators;
}

}  // namespace kaspar::nodes
